package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
)

// said is what a command printed, and its exit status.
type said struct {
	command string
	status  int
	text    string
}

// person runs kubectl in the scene's namespace. The zero kubeconfig is the administrator's.
type person struct {
	*scene
	kubeconfig string
}

// admin may do everything.
func (s *scene) admin() person { return person{scene: s} }

// user is somebody with ClusterRoles in the scene's namespace and no other rights.
func (s *scene) user(name string, clusterRoles ...string) person {
	s.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	s.create(account)
	for _, role := range clusterRoles {
		s.create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name + "-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.namespace, Name: name}},
		})
	}
	token := &authenticationv1.TokenRequest{}
	if err := shared.SubResource("token").Create(s.Context(), account, token); err != nil {
		s.Fatalf("ask for a token of %s: %v", name, err)
	}
	p := person{scene: s, kubeconfig: s.kubeconfigOf(name, token.Status.Token)}
	s.until("rights of "+name, usual, func() (bool, string) {
		have := p.kubectl("auth", "can-i", "patch", "canaryreleases.slipway.dev")
		return have.status == 0, have.text
	})
	return p
}

func (s *scene) kubeconfigOf(name, token string) string {
	s.Helper()
	server, err := ctrl.GetConfig()
	if err != nil {
		s.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["rig"] = &clientcmdapi.Cluster{Server: server.Host, CertificateAuthority: server.CAFile, CertificateAuthorityData: server.CAData}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["rig"] = &clientcmdapi.Context{Cluster: "rig", AuthInfo: name, Namespace: s.namespace}
	config.CurrentContext = "rig"
	path := filepath.Join(s.TempDir(), name)
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		s.Fatal(err)
	}
	return path
}

// kubectl runs a command to its end.
func (p person) kubectl(args ...string) said { return p.kubectlOn(nil, args...) }

// kubectlOn runs a command that reads a manifest from its standard input.
func (p person) kubectlOn(manifest *unstructured.Unstructured, args ...string) said {
	p.Helper()
	args = append([]string{"--namespace", p.namespace}, args...)
	if args[2] == "slipway" {
		// kubectl gives a plug-in what comes after its name only.
		args = append(append([]string{"slipway"}, args[3:]...), args[:2]...)
	}
	c := exec.CommandContext(p.Context(), "kubectl", args...)
	c.Env = append(os.Environ(), "PATH="+pluginDir()+string(os.PathListSeparator)+os.Getenv("PATH"))
	if p.kubeconfig != "" {
		c.Env = append(c.Env, "KUBECONFIG="+p.kubeconfig)
	}
	if manifest != nil {
		c.Stdin = strings.NewReader(compact(manifest))
	}
	text, err := c.CombinedOutput()
	have := said{"kubectl " + strings.Join(args, " "), c.ProcessState.ExitCode(), string(text)}
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		p.Errorf("run %s: %v", have.command, err)
	}
	p.Logf("%s: exit status %d\n%s", have.command, have.status, have.text)
	return have
}

// slipway runs `kubectl slipway`.
func (p person) slipway(args ...string) said {
	p.Helper()
	return p.kubectl(append([]string{"slipway"}, args...)...)
}

// starts a command that goes on beside the scenario.
func (p person) starts(args ...string) <-chan said {
	done, over := make(chan said, 1), make(chan struct{})
	go func() {
		defer close(over)
		done <- p.slipway(args...)
	}()
	// The end of the scenario ends the command, which must not write to its log after that.
	p.Cleanup(func() { <-over })
	return done
}

// wants checks the exit status, and that the text has some parts, wherever its lines are broken.
func (p person) wants(have said, status int, parts ...string) {
	p.Helper()
	if have.status != status {
		p.Errorf("%s: exit status %d, want %d", have.command, have.status, status)
	}
	text := strings.Join(strings.Fields(have.text), " ")
	for _, part := range parts {
		if !strings.Contains(text, part) {
			p.Errorf("%s: want %q in:\n%s", have.command, part, have.text)
		}
	}
}

// does runs a command that has to succeed.
func (p person) does(args ...string) {
	p.Helper()
	p.wants(p.kubectl(args...), 0)
}

// pluginDir has the operator's own program under the name by which kubectl finds it.
var pluginDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "slipway-e2e-plugin")
	if err == nil {
		// With the flags of the operator's image, most of it is built already.
		build := exec.CommandContext(context.Background(), "go", "build", "-C", "../..", "-trimpath", "-o", filepath.Join(dir, "kubectl-slipway"), ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		var text []byte
		if text, err = build.CombinedOutput(); err != nil {
			err = fmt.Errorf("%w\n%s", err, text)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("build kubectl-slipway: %v", err))
	}
	built = dir
	return dir
})

// built is what pluginDir has made, for TestMain to take away.
var built string
