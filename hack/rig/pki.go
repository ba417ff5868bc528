package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"
)

// users are those who talk to the API server by token. Each component has the identity that it has in a
// real cluster, so that RBAC and admission policies see what they would see there.
var users = []struct{ name, groups string }{
	{"admin", "system:masters"},
	{"system:kube-controller-manager", ""},
	{"system:kube-scheduler", ""},
	{"system:kube-proxy", ""},
	{"system:node:" + nodeName, "system:nodes"},
}

// configOf is the kubeconfig of a user.
func (r *rig) configOf(user string) string {
	if user == "admin" {
		return r.kubeconfig()
	}
	return r.path("conf", strings.NewReplacer("system:", "", ":", "-").Replace(user)+".kubeconfig")
}

func (r *rig) writeCredentials() error {
	if err := r.writeCertificates(); err != nil {
		return err
	}
	ca, err := os.ReadFile(r.path("pki", "ca.crt"))
	if err != nil {
		return err
	}
	var tokens strings.Builder
	for _, user := range users {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return err
		}
		token := hex.EncodeToString(secret)
		fmt.Fprintf(&tokens, "%s,%s,%s,%q\n", token, user.name, user.name, user.groups)
		if err := os.WriteFile(r.configOf(user.name), kubeconfig(token, ca), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(r.path("pki", "tokens.csv"), []byte(tokens.String()), 0o600)
}

func kubeconfig(token string, ca []byte) []byte {
	const form = `apiVersion: v1
kind: Config
clusters: [{name: rig, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: rig, user: {token: %s}}]
contexts: [{name: rig, context: {cluster: rig, user: rig}}]
current-context: rig
`
	return fmt.Appendf(nil, form, apiServerURL, base64.StdEncoding.EncodeToString(ca), token)
}

func (r *rig) writeCertificates() error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := certificate("slipway-rig")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	if err := r.writeCertificate("ca", ca, ca, caKey, caKey); err != nil {
		return err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := certificate("kube-apiserver")
	server.KeyUsage, server.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	server.IPAddresses = []net.IP{net.ParseIP(nodeAddress), net.ParseIP(kubernetesVIP), net.IPv4(127, 0, 0, 1)}
	if err := r.writeCertificate("apiserver", server, ca, serverKey, caKey); err != nil {
		return err
	}
	accountKey, err := rsa.GenerateKey(rand.Reader, 2048) // signs the tokens of service accounts
	if err != nil {
		return err
	}
	return r.writeKey("service-accounts", accountKey)
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
}

func (r *rig) writeCertificate(name string, cert, signer *x509.Certificate, key, signerKey crypto.Signer) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, signer, key.Public(), signerKey)
	if err != nil {
		return err
	}
	if err := writePEM(r.path("pki", name+".crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	return r.writeKey(name, key)
}

func (r *rig) writeKey(name string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(r.path("pki", name+".key"), "PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
