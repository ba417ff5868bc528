package requests

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cli"
	"slipway.dev/slipway/internal/workload"
)

// answer is what a command printed, and its exit status.
type answer struct {
	status int
	text   string
}

// slipway runs a command as a user; it goes on beside the test.
func (s shop) slipway(user string, args ...string) <-chan answer {
	done := make(chan answer, 1)
	args = append(args, "--kubeconfig", kubeconfig(user), "--namespace", s.namespace)
	go func() {
		var out bytes.Buffer
		status := cli.Run(args, &out, &out)
		done <- answer{status, out.String()}
	}()
	return done
}

func (a answer) wants(t *testing.T, status int, parts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("exit status %d, want %d", a.status, status)
	}
	for _, part := range parts {
		if !strings.Contains(a.text, part) {
			t.Errorf("want %q in:\n%s", part, a.text)
		}
	}
}

// answerAsTheOperator waits for a request, takes it away and says what became of it.
func (s shop) answerAsTheOperator(annotation, note string) {
	s.t.Helper()
	s.eventually("the request is there", func() bool { return s.live().Annotations[annotation] != "" })
	if err := s.annotate(server.operator, nil); err != nil {
		s.t.Fatalf("take the request away: %v", err)
	}
	cr := s.live()
	err := server.operator.Create(s.t.Context(), &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, GenerateName: "shop-"},
		EventTime:  metav1.NowMicro(), Type: corev1.EventTypeNormal, Reason: "Request", Action: "Answer", Note: note,
		ReportingController: "slipway", ReportingInstance: "slipway-0",
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "CanaryRelease", Namespace: cr.Namespace, Name: cr.Name, UID: cr.UID, ResourceVersion: cr.ResourceVersion,
		},
	})
	if err != nil {
		s.t.Fatalf("answer: %v", err)
	}
}

func TestManagerPromotesByCommand(t *testing.T) {
	s := newShop(t)
	s.say("Judging", "bcdf", "xz99")
	done := s.slipway(managerUser, "promote", "shop")
	s.answerAsTheOperator(v1alpha1.RequestPromote, "promoted by a person, without waiting for evidence")
	(<-done).wants(t, 0, "asked: promote revision bcdf of CanaryRelease "+s.namespace+"/shop", "answer: promoted by a person")

	done = s.slipway(managerUser, "retry", "shop", "--revision=old1")
	s.answerAsTheOperator(v1alpha1.RequestRetry, "retry of revision old1 refused: the release is of revision bcdf")
	(<-done).wants(t, 1, "the release is of revision bcdf")
}

func TestEditorIsToldWhatIsMissing(t *testing.T) {
	s := newShop(t)
	s.say("Judging", "bcdf", "xz99")
	(<-s.slipway(editorUser, "promote", "shop")).wants(t, 1, "user erin may not promote CanaryRelease "+s.namespace+"/shop", "slipway-release-manager")
	(<-s.slipway(editorUser, "abort", "shop", "--wait=false")).wants(t, 0, "asked: abort revision bcdf")
}

func TestWaitOnARealServer(t *testing.T) {
	s := newShop(t)
	stable := workload.Revision(s.target().Spec.Template)
	s.say("Idle", stable, stable)
	(<-s.slipway(adminUser, "wait", "deployment/shop")).wants(t, 0, "promoted: revision "+stable)

	d := s.push("shop:v2")
	change := workload.Revision(d.Spec.Template)
	done := s.slipway(adminUser, "wait", "shop")
	s.say("RolledBack", change, stable)
	(<-done).wants(t, 1, "rolled back")

	s.push("shop:v3")
	(<-s.slipway(adminUser, "wait", "shop", "--timeout=1s")).wants(t, 2, "not begun with this revision yet", "no verdict")
}

func TestStatusOnARealServer(t *testing.T) {
	s := newShop(t)
	s.push("shop:v2")
	s.say("Judging", "bcdf", "xz99")
	(<-s.slipway(adminUser, "status", "deploy/shop")).wants(t, 0, "held on revision", "stage      Judging", "gathering evidence")
	// Who may see releases and nothing else is shown the release, and what could not be read.
	(<-s.slipway(managerUser, "status", "shop")).wants(t, 0, "stage      Judging", "not shown: read")
}
