package linkerd

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// Linkerd's annotations.
const (
	retryPrefix     = "retry.linkerd.io/"
	timeoutPrefix   = "timeout.linkerd.io/"
	retryHTTP       = retryPrefix + "http"
	retryGRPC       = retryPrefix + "grpc"
	retryLimit      = retryPrefix + "limit"
	retryTimeout    = retryPrefix + "timeout"
	timeoutRequest  = timeoutPrefix + "request"
	limitNone       = "0"
	separator       = "," // a space behind it makes the whole annotation invalid
	codeOfConflict  = "409"
	conditionServer = "5xx"
	conditionGate   = "gateway-error"
)

var statuses = map[v1alpha1.GRPCStatus]string{
	v1alpha1.GRPCCancelled:         "cancelled",
	v1alpha1.GRPCDeadlineExceeded:  "deadline-exceeded",
	v1alpha1.GRPCInternal:          "internal",
	v1alpha1.GRPCResourceExhausted: "resource-exhausted",
	v1alpha1.GRPCUnavailable:       "unavailable",
}

// annotate writes the policies onto an object. There is one for a target without rules of their own.
func annotate(obj *unstructured.Unstructured, retries []traffic.Retry) error {
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	for _, r := range retries {
		if err := retryAnnotations(annotations, r); err != nil {
			return err
		}
		if r.Request > 0 {
			annotations[timeoutRequest] = traffic.FormatMillis(r.Request)
		}
	}
	obj.SetAnnotations(annotations)
	return nil
}

func retryAnnotations(annotations map[string]string, r traffic.Retry) error {
	if r.Retries == nil {
		return nil
	}
	if r.Off() {
		// Alone it is as if it were not there, and Linkerd by itself retries nothing. Beside any other annotation for
		// retries it would be 1: nothing else is written.
		annotations[retryLimit] = limitNone
		return nil
	}
	http, grpc := httpConditions(r), grpcConditions(r)
	if http == "" && grpc == "" {
		return traffic.Refused(traffic.NotReady, "triggers: Linkerd retries RefusedStream only beside answers; "+
			"add GatewayError, httpStatusCodes or grpcStatuses with methods: All, or take retries out")
	}
	annotations[retryLimit] = strconv.Itoa(int(*r.Retries))
	set(annotations, retryHTTP, http)
	set(annotations, retryGRPC, grpc)
	if r.PerTry > 0 {
		annotations[retryTimeout] = traffic.FormatMillis(r.PerTry)
	}
	return nil
}

func set(annotations map[string]string, key, value string) {
	if value != "" {
		annotations[key] = value
	}
}

// httpConditions are the triggers and codes as Linkerd writes them. GatewayError is 502 to 504 there, and ServerError 500
// to 599, as an answer: no answer at all is not among them.
func httpConditions(r traffic.Retry) string {
	var out []string
	for _, t := range r.Triggers {
		switch t {
		case v1alpha1.RetryServerError:
			out = append(out, conditionServer)
		case v1alpha1.RetryGatewayError:
			out = append(out, conditionGate)
		case v1alpha1.RetryRetriable4xx:
			out = append(out, codeOfConflict)
		case v1alpha1.RetryRefusedStream: // Linkerd retries it whenever it retries
		case v1alpha1.RetryConnectFailure, v1alpha1.RetryReset, v1alpha1.RetryResetBeforeRequest: // refused before
		}
	}
	for _, code := range r.Codes {
		out = append(out, strconv.Itoa(int(code)))
	}
	return joined(out)
}

func grpcConditions(r traffic.Retry) string {
	var out []string
	for _, s := range r.Statuses {
		out = append(out, statuses[s])
	}
	return joined(out)
}

func joined(parts []string) string {
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), separator)
}

// annotationWith is an annotation of the object that begins so, or empty.
func annotationWith(obj *unstructured.Unstructured, prefix string) string {
	var found []string
	for key := range obj.GetAnnotations() {
		if strings.HasPrefix(key, prefix) {
			found = append(found, key)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}
