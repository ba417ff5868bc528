package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/workload"
)

// now is when all of these tests are.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// table is a cluster on paper, and the commands on it.
type table struct {
	client client.WithWatch
	root   *cobra.Command
}

func newTable(funcs interceptor.Funcs, objects ...client.Object) *table {
	c := fake.NewClientBuilder().WithScheme(scheme()).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.CanaryRelease{}, &v1alpha1.TrafficSplit{}).
		WithIndex(&corev1.Event{}, "involvedObject.uid", func(o client.Object) []string {
			return []string{string(o.(*corev1.Event).InvolvedObject.UID)}
		}).
		WithInterceptorFuncs(funcs).Build()
	p := newPeople()
	p.connect = func() (cluster, error) { return cluster{client: c, namespace: "shop"}, nil }
	p.now = func() time.Time { return now }
	root := &cobra.Command{Use: "slipway", SilenceUsage: true, SilenceErrors: true}
	p.addTo(root, "slipway")
	return &table{client: c, root: root}
}

// run runs a command line and gives what a person sees: the text, and the exit status with its message.
func (w *table) run(ctx context.Context, args ...string) (out string, status int, message string) {
	var text bytes.Buffer
	w.root.SetArgs(args)
	w.root.SetOut(&text)
	w.root.SetErr(io.Discard)
	if err := w.root.ExecuteContext(ctx); err != nil {
		return text.String(), exitStatus(err), err.Error()
	}
	return text.String(), 0, ""
}

func aRelease(change ...func(*v1alpha1.CanaryRelease)) *v1alpha1.CanaryRelease {
	cr := &v1alpha1.CanaryRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", UID: "4a5b"},
		Spec: v1alpha1.CanaryReleaseSpec{
			TargetRef:  v1alpha1.TargetReference{Kind: v1alpha1.TargetDeployment, Name: "checkout"},
			ServiceRef: v1alpha1.ServiceReference{Name: "checkout"},
			RouteRefs:  []v1alpha1.RouteReference{{Name: "checkout"}},
			Steps:      []v1alpha1.Step{{WeightPercent: 5}, {WeightPercent: 25}, {WeightPercent: 50, Hold: new(true)}},
		},
	}
	for _, c := range change {
		c(cr)
	}
	return cr
}

// template is that of version v, and revision its short name.
func template(v string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "checkout"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "checkout", Image: "checkout:" + v}}},
	}
}

func revision(v string) string { return workload.Revision(template(v)) }

// aTarget is the Deployment with version v in it.
func aTarget(v string, held bool) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](4), Template: template(v),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "checkout"}},
		},
		Status: appsv1.DeploymentStatus{AvailableReplicas: 4},
	}
	if held {
		d.Spec.Paused = true
		d.Annotations = map[string]string{v1alpha1.HeldAnnotation: "checkout"}
	}
	return d
}

// at sets where a release stands.
func at(stage, reason, message, revision, stable string) func(*v1alpha1.CanaryRelease) {
	return func(cr *v1alpha1.CanaryRelease) {
		s := &cr.Status
		s.Stage, s.Revision, s.StableRevision = stage, revision, stable
		s.Conditions = []metav1.Condition{
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message),
		}
	}
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now.Add(-90 * time.Second))}
}

func answerEvent(name, note string) *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)},
		InvolvedObject: corev1.ObjectReference{Kind: "CanaryRelease", Namespace: "shop", Name: "checkout", UID: "4a5b"},
		Reason:         answerReason, Action: answerAction, Message: note, Type: corev1.EventTypeNormal,
	}
}

func TestWhatIsNotThereIsSaidWithWhatThereIs(t *testing.T) {
	for name, tc := range map[string]struct {
		args       []string
		objects    []client.Object
		wantStatus int
		want       string
	}{
		"a release of another name": {
			args: []string{"status", "basket"}, objects: []client.Object{aRelease()}, wantStatus: 1, want: "it has: checkout",
		},
		"no release at all": {
			args: []string{"promote", "checkout"}, wantStatus: 1, want: "name another one by --namespace",
		},
		"a Deployment that no release names": {
			args: []string{"wait", "deployment/basket"}, objects: []client.Object{aRelease()}, wantStatus: 2, want: "kubectl rollout status",
		},
		"a Deployment that two releases name": {
			args: []string{"wait", "deploy/checkout"}, wantStatus: 2, want: "(checkout, second)",
			objects: []client.Object{aRelease(), aRelease(func(cr *v1alpha1.CanaryRelease) { cr.Name = "second" })},
		},
		"a kind that cannot be waited for": {
			args: []string{"wait", "statefulset/checkout"}, wantStatus: 2, want: "not a statefulset",
		},
		"a release without its Deployment": {
			args: []string{"wait", "checkout"}, objects: []client.Object{aRelease()}, wantStatus: 2, want: `find Deployment "checkout"`,
		},
		"no name": {args: []string{"wait"}, wantStatus: 2, want: "takes one name"},
		"a flag that wait does not have": {
			args: []string{"wait", "--for=promotion", "checkout"}, wantStatus: 2, want: "unknown flag",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, status, message := newTable(interceptor.Funcs{}, tc.objects...).run(t.Context(), tc.args...)
			if status != tc.wantStatus || !strings.Contains(message, tc.want) {
				t.Errorf("exit status %d (want %d), message %q (want %q in it)", status, tc.wantStatus, message, tc.want)
			}
		})
	}
}

func TestAsPluginOfKubectlOnlyWhatPeopleNeedIsOffered(t *testing.T) {
	for calledAs, wantHidden := range map[string]bool{"/usr/local/bin/kubectl-slipway": true, `kubectl-slipway.exe`: true, "/slipway": false} {
		root := &cobra.Command{Use: "slipway"}
		root.AddCommand(operatorCommand(), versionCommand())
		newPeople().addTo(root, calledAs)
		operator, _, err := root.Find([]string{"operator"})
		if err != nil {
			t.Fatal(err)
		}
		if operator.Hidden != wantHidden {
			t.Errorf("called as %s: operator is hidden: %v, want %v", calledAs, operator.Hidden, wantHidden)
		}
		if strings.HasPrefix(operator.CommandPath(), "kubectl slipway") != wantHidden {
			t.Errorf("called as %s: commands are shown as %q", calledAs, operator.CommandPath())
		}
	}
}
