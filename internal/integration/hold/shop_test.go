package hold

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// shop is a namespace with the Deployment "shop", which a CanaryRelease names, and "other", which none does.
type shop struct {
	t         *testing.T
	namespace string
}

// newShop makes a shop and waits until the policy knows its CanaryRelease.
func newShop(t *testing.T) shop {
	t.Helper()
	s := bareShop(t)
	s.create(s.newRelease())
	s.eventually("the policy holds changes of the Deployment", s.wouldHold)
	return s
}

func (s shop) newRelease() *v1alpha1.CanaryRelease {
	return &v1alpha1.CanaryRelease{
		ObjectMeta: metav1.ObjectMeta{Name: "release", Namespace: s.namespace},
		Spec: v1alpha1.CanaryReleaseSpec{
			TargetRef:  v1alpha1.TargetReference{Name: "shop"},
			ServiceRef: v1alpha1.ServiceReference{Name: "shop"},
			RouteRefs:  []v1alpha1.RouteReference{{Name: "shop"}},
			Steps:      []v1alpha1.Step{{WeightPercent: 10}},
		},
	}
}

// bareShop is a shop without a CanaryRelease.
func bareShop(t *testing.T) shop {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	s := shop{t: t}
	s.create(ns)
	s.namespace = ns.Name
	s.create(s.manifest("shop"))
	s.create(s.manifest("other"))
	return s
}

func (s shop) manifest(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	replicas := int32(3)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "shop:v1"}}},
			},
		},
	}
}

func (s shop) create(obj client.Object) {
	s.t.Helper()
	if err := server.person.Create(s.t.Context(), obj); err != nil {
		s.t.Fatalf("create %T: %v", obj, err)
	}
}

func (s shop) get(name string) *appsv1.Deployment {
	s.t.Helper()
	d := &appsv1.Deployment{}
	if err := server.person.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, d); err != nil {
		s.t.Fatalf("get Deployment %s: %v", name, err)
	}
	return d
}

// update changes a Deployment as user c does: reads, changes, writes the whole object, and again when somebody was faster.
func (s shop) update(c client.Client, name string, change func(*appsv1.Deployment), opts ...client.UpdateOption) *appsv1.Deployment {
	s.t.Helper()
	var d *appsv1.Deployment
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		d = s.get(name)
		change(d)
		return c.Update(s.t.Context(), d, opts...)
	})
	if err != nil {
		s.t.Fatalf("update Deployment %s: %v", name, err)
	}
	return d
}

// setStatus is what the Deployment controller would write: nobody runs one here.
func (s shop) setStatus(name string, change func(*appsv1.Deployment)) {
	s.t.Helper()
	d := s.get(name)
	change(d)
	if err := server.person.Status().Update(s.t.Context(), d); err != nil {
		s.t.Fatalf("update status of Deployment %s: %v", name, err)
	}
}

// scale asks for replicas through the scale subresource and returns what came of it.
func (s shop) scale(c client.Client, replicas int32, opts ...client.SubResourceUpdateOption) int32 {
	s.t.Helper()
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	opts = append(opts, client.WithSubResourceBody(scale))
	if err := c.SubResource("scale").Update(s.t.Context(), s.get("shop"), opts...); err != nil {
		s.t.Fatalf("scale Deployment: %v", err)
	}
	return scale.Spec.Replicas
}

// setFloor sets the floor in the release's status and waits until the policy goes by it. It leaves the Deployment with one
// replica more than the floor.
func (s shop) setFloor(floor int32) {
	s.t.Helper()
	s.writeFloor(floor)
	s.update(server.person, "shop", replicas(floor+1))
	dry := &client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}}}
	s.eventually("the policy knows the floor", func() bool { return s.scale(server.autoscaler, 0, dry) == floor })
}

func (s shop) writeFloor(floor int32) {
	s.t.Helper()
	cr := s.release()
	cr.Status.FloorReplicas = &floor
	if err := server.operator.Status().Update(s.t.Context(), cr); err != nil {
		s.t.Fatalf("update status of CanaryRelease: %v", err)
	}
}

func (s shop) release() *v1alpha1.CanaryRelease {
	s.t.Helper()
	cr := &v1alpha1.CanaryRelease{}
	if err := server.person.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "release"}, cr); err != nil {
		s.t.Fatalf("get CanaryRelease: %v", err)
	}
	return cr
}

// wouldHold asks, without changing anything, whether another template would be held.
func (s shop) wouldHold() bool {
	s.t.Helper()
	d := s.update(server.person, "shop", image("shop:probe"), client.DryRunAll)
	return d.Spec.Paused && d.Annotations[v1alpha1.HeldAnnotation] != ""
}

// eventually waits for what the API server learns through a watch of its own.
func (s shop) eventually(what string, is func() bool) {
	s.t.Helper()
	err := wait.PollUntilContextTimeout(s.t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return is(), nil })
	if err != nil {
		s.t.Fatalf("waited a minute until %s", what)
	}
}

// kubectl runs it as the person, in the shop's namespace, and returns what it prints. mayFail is for kubectl diff.
func (s shop) kubectl(manifest string, args ...string) (string, error) {
	s.t.Helper()
	args = append([]string{"--kubeconfig", server.kubeconfig, "--namespace", s.namespace}, args...)
	command := exec.CommandContext(s.t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), args...)
	command.Stdin = strings.NewReader(manifest)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (s shop) mustKubectl(manifest string, args ...string) string {
	s.t.Helper()
	out, err := s.kubectl(manifest, args...)
	if err != nil {
		s.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func image(name string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = name }
}

func both(changes ...func(*appsv1.Deployment)) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		for _, change := range changes {
			change(d)
		}
	}
}

func pause(d *appsv1.Deployment)  { d.Spec.Paused = true }
func resume(d *appsv1.Deployment) { d.Spec.Paused = false }
func unmark(d *appsv1.Deployment) { delete(d.Annotations, v1alpha1.HeldAnnotation) }

func replicas(n int32) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Replicas = &n }
}
