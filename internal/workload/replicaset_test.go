package workload

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestStableReplicaSet(t *testing.T) {
	d := testDeployment()
	stranger := testDeployment()
	stranger.UID = "stranger"
	rolling := testDeployment()
	rolling.Status.UpdatedReplicas = 1
	v1, err := NewRevision(testRelease(), RevisionStable, testTemplate("shop:v1"), 1)
	if err != nil {
		t.Fatal(err)
	}
	broken := v1.DeepCopy()
	broken.Data.Raw = []byte("{}")

	tests := map[string]struct {
		d          *appsv1.Deployment
		sets       []appsv1.ReplicaSet
		uid        types.UID
		stable     *appsv1.ControllerRevision
		want       types.UID
		wantReason string
	}{
		"the recorded one is stable, whatever the others look like": {
			d: heldDeployment("shop:v2"), uid: "a",
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v1", 1), replicaSet(d, 1, "shop:v2", 5)}, want: "a",
		},
		"a recorded one of somebody else does not count": {
			d: d, uid: "b",
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v1", 3), replicaSet(stranger, 1, "shop:v1", 3)}, want: "a",
		},
		"the recorded template finds it when the record of the ReplicaSet is lost": {
			d: heldDeployment("shop:v2"), stable: v1,
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v1", 1), replicaSet(d, 1, "shop:v2", 5)}, want: "a",
		},
		"a record that cannot be read is a reason, and no guess": {
			d: heldDeployment("shop:v2"), stable: broken,
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v1", 3)}, wantReason: "it has none",
		},
		"held at first contact: the one with the most ready pods": {
			d:    heldDeployment("shop:v3"),
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v1", 3), replicaSet(d, 1, "shop:v2", 1)}, want: "a",
		},
		"held at first contact with a draw: nobody knows": {
			d:    heldDeployment("shop:v3"),
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v1", 2), replicaSet(d, 1, "shop:v2", 2)}, wantReason: "no single ReplicaSet",
		},
		"held at first contact with nothing ready: the one that should have pods": {
			d: heldDeployment("shop:v3"),
			sets: []appsv1.ReplicaSet{
				unready(replicaSet(d, 0, "shop:v1", 3)), replicaSet(d, 1, "shop:v2", 0),
			},
			want: "a",
		},
		"not held and rolled out: the one with the Deployment's template": {
			d:    d,
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v0", 0), replicaSet(d, 1, "shop:v1", 3)}, want: "b",
		},
		"not held and rolling: wait": {
			d:    rolling,
			sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v0", 2), replicaSet(d, 1, "shop:v1", 1)}, wantReason: "is not rolled out (1 of 3 pods updated, 3 available)",
		},
		"none at all": {d: d, wantReason: "has no ReplicaSet"},
		"rolled out, it says, without a ReplicaSet of its template": {
			d: d, sets: []appsv1.ReplicaSet{replicaSet(d, 0, "shop:v0", 3)}, wantReason: "no ReplicaSet has its template yet",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, reason := StableReplicaSet(StableFacts{Deployment: tc.d, ReplicaSets: tc.sets, RecordedUID: tc.uid, Stable: tc.stable})
			if tc.want == "" {
				if got != nil || !strings.Contains(reason, tc.wantReason) {
					t.Errorf("got %v, reason %q; want none, reason with %q", got, reason, tc.wantReason)
				}
				return
			}
			if got == nil || got.UID != tc.want || reason != "" {
				t.Errorf("got %v, reason %q; want ReplicaSet %q", got, reason, tc.want)
			}
		})
	}
}

func unready(rs appsv1.ReplicaSet) appsv1.ReplicaSet {
	rs.Status.ReadyReplicas, rs.Status.AvailableReplicas = 0, 0
	return rs
}

func TestRolledOut(t *testing.T) {
	tests := map[string]struct {
		change func(*appsv1.Deployment)
		want   bool
	}{
		"all pods updated and available": {change: func(*appsv1.Deployment) {}, want: true},
		"the controller has not seen it": {change: func(d *appsv1.Deployment) { d.Generation++ }},
		"an old pod is left":             {change: func(d *appsv1.Deployment) { d.Status.Replicas++ }},
		"a pod is not available":         {change: func(d *appsv1.Deployment) { d.Status.AvailableReplicas-- }},
		"a pod is not updated":           {change: func(d *appsv1.Deployment) { d.Status.UpdatedReplicas-- }},
		"replicas absent are one":        {change: func(d *appsv1.Deployment) { d.Spec.Replicas = nil }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := testDeployment()
			tc.change(d)
			if got := RolledOut(d); got != tc.want {
				t.Errorf("RolledOut = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestOnlyReplicaSet(t *testing.T) {
	d := testDeployment()
	stable, other := replicaSet(d, 0, "shop:v1", 3), replicaSet(d, 1, "shop:v2", 0)
	if !OnlyReplicaSet(d, &stable, []appsv1.ReplicaSet{stable, other}) {
		t.Error("all pods are stable's, and it is denied")
	}
	leaving := replicaSet(d, 1, "shop:v2", 0)
	leaving.Status.Replicas = 1
	if OnlyReplicaSet(d, &stable, []appsv1.ReplicaSet{stable, leaving}) {
		t.Error("a pod of another template is on its way out, and it is not seen")
	}
	few := replicaSet(d, 0, "shop:v1", 2)
	if OnlyReplicaSet(d, &few, []appsv1.ReplicaSet{few, other}) {
		t.Error("a pod of stable is missing, and it is not seen")
	}
	if OnlyReplicaSet(d, nil, nil) {
		t.Error("no ReplicaSet is not the only one")
	}
}

func TestNewestReplicaSetIsTheOldestOfTwoTwins(t *testing.T) {
	d := testDeployment()
	sets := []appsv1.ReplicaSet{replicaSet(d, 2, "shop:v1", 1), replicaSet(d, 1, "shop:v1", 1), replicaSet(d, 0, "shop:v0", 1)}
	if got := NewestReplicaSet(d, sets); got == nil || got.UID != "b" {
		t.Errorf("got %v; the Deployment controller takes the oldest of equal ones", got)
	}
}
