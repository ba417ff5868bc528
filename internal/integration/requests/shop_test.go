package requests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// shop is a namespace with the Deployment and the CanaryRelease "shop". The editor and the manager have the roles in it
// that a cluster administrator would give them.
type shop struct {
	t         *testing.T
	namespace string
}

func newShop(t *testing.T) shop {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	s := shop{t: t}
	s.create(ns)
	s.namespace = ns.Name
	s.bind(editorUser, "slipway-view", "slipway-edit")
	s.bind(managerUser, "slipway-release-manager")
	s.create(s.deployment())
	s.create(s.release())
	s.eventually("the policies and the roles are known", func() bool {
		_, err := s.kubectl(managerUser, "", "annotate", "--dry-run=server", "canaryrelease", "shop", "slipway.dev/promote=any")
		if err != nil {
			return false
		}
		d := s.target()
		d.Spec.Template.Spec.Containers[0].Image = "shop:probe"
		return server.admin.Update(s.t.Context(), d, client.DryRunAll) == nil && d.Spec.Paused
	})
	return s
}

func (s shop) bind(user string, roles ...string) {
	s.t.Helper()
	for _, role := range roles {
		s.create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: user + "-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	}
}

func (s shop) deployment() *appsv1.Deployment {
	labels := map[string]string{"app": "shop"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.namespace},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](3), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "shop:v1"}}},
			},
		},
	}
}

func (s shop) release() *v1alpha1.CanaryRelease {
	return &v1alpha1.CanaryRelease{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.namespace, Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.CanaryReleaseSpec{
			TargetRef:  v1alpha1.TargetReference{Name: "shop"},
			ServiceRef: v1alpha1.ServiceReference{Name: "shop"},
			RouteRefs:  []v1alpha1.RouteReference{{Name: "shop"}},
			Steps:      []v1alpha1.Step{{WeightPercent: 10}},
		},
	}
}

func (s shop) create(obj client.Object) {
	s.t.Helper()
	if err := server.admin.Create(s.t.Context(), obj); err != nil {
		s.t.Fatalf("create %T: %v", obj, err)
	}
}

func (s shop) key() client.ObjectKey { return client.ObjectKey{Namespace: s.namespace, Name: "shop"} }

func (s shop) target() *appsv1.Deployment {
	s.t.Helper()
	d := &appsv1.Deployment{}
	if err := server.admin.Get(s.t.Context(), s.key(), d); err != nil {
		s.t.Fatalf("get Deployment: %v", err)
	}
	return d
}

func (s shop) live() *v1alpha1.CanaryRelease {
	s.t.Helper()
	cr := &v1alpha1.CanaryRelease{}
	if err := server.admin.Get(s.t.Context(), s.key(), cr); err != nil {
		s.t.Fatalf("get CanaryRelease: %v", err)
	}
	return cr
}

// say writes the status that the operator would.
func (s shop) say(stage, revision, stable string) {
	s.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		cr := s.live()
		cr.Status.Stage, cr.Status.Revision, cr.Status.StableRevision = stage, revision, stable
		cr.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Judging", Message: "gathering evidence", LastTransitionTime: metav1.Now(),
		}}
		return server.operator.Status().Update(s.t.Context(), cr)
	})
	if err != nil {
		s.t.Fatalf("write status of CanaryRelease: %v", err)
	}
}

func (s shop) eventually(what string, is func() bool) {
	s.t.Helper()
	err := wait.PollUntilContextTimeout(s.t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return is(), nil })
	if err != nil {
		s.t.Fatalf("waited a minute until %s", what)
	}
}

// kubectl runs it as a user in the shop's namespace and gives what it prints.
func (s shop) kubectl(user, stdin string, args ...string) (string, error) {
	s.t.Helper()
	args = append([]string{"--kubeconfig", kubeconfig(user), "--namespace", s.namespace}, args...)
	command := exec.CommandContext(s.t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), args...)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	return string(out), err
}

// must is kubectl as the administrator, where it must succeed.
func (s shop) must(args ...string) string {
	s.t.Helper()
	out, err := s.kubectl(adminUser, "", args...)
	if err != nil {
		s.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
