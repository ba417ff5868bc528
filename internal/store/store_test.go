package store

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
)

// cluster is an API server of one Deployment and one TrafficSplit that counts the writes it gets.
type cluster struct {
	client.Client
	writes int
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c := &cluster{}
	c.Client = fake.NewClientBuilder().WithScheme(scheme).
		WithObjects(deployment(), &v1alpha1.TrafficSplit{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}).
		WithStatusSubresource(&v1alpha1.TrafficSplit{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				c.writes++
				return w.Patch(ctx, o, p, opts...)
			},
			SubResourcePatch: func(ctx context.Context, w client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				c.writes++
				return w.SubResource(sub).Patch(ctx, o, p, opts...)
			},
		}).Build()
	return c
}

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout-canary"},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
	}
}

func (c *cluster) read(t *testing.T) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := c.Get(context.Background(), client.ObjectKeyFromObject(deployment()), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func scaled(d *appsv1.Deployment, to int32) *appsv1.Deployment {
	out := d.DeepCopy()
	out.Spec.Replicas = new(to)
	return out
}

func TestProjectPutsTheStampOnWhatItWrites(t *testing.T) {
	c := newCluster(t)
	before := c.read(t)
	wrote, err := New(c).Project(context.Background(), before, scaled(before, 5), Stamp{UID: "u", Sequence: 3})
	if err != nil || !wrote {
		t.Fatalf("Project = %v, %v; want a write", wrote, err)
	}
	live := c.read(t)
	if got := live.Annotations[v1alpha1.StampAnnotation]; got != "u/3" || *live.Spec.Replicas != 5 {
		t.Errorf("stamp %q and %d replicas, want u/3 and 5", got, *live.Spec.Replicas)
	}
}

func TestProjectNeverWritesAnOlderRecordOverALaterOne(t *testing.T) {
	cases := map[string]struct {
		late      Stamp
		wantStale bool
	}{
		"a lower sequence of the same record is stale":             {late: Stamp{UID: "u", Sequence: 4}, wantStale: true},
		"the same sequence may be written again":                   {late: Stamp{UID: "u", Sequence: 5}},
		"a higher sequence goes through":                           {late: Stamp{UID: "u", Sequence: 6}},
		"another object's record does not compare, and goes ahead": {late: Stamp{UID: "v", Sequence: 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, ctx := newCluster(t), context.Background()
			first := c.read(t)
			if _, err := New(c).Project(ctx, first, scaled(first, 5), Stamp{UID: "u", Sequence: 5}); err != nil {
				t.Fatal(err)
			}
			now := c.read(t)
			_, err := New(c).Project(ctx, now, scaled(now, 9), tc.late)
			if got := errors.Is(err, ErrStale); got != tc.wantStale {
				t.Errorf("Project: %v; stale %v, want %v", err, got, tc.wantStale)
			}
			if tc.wantStale && *c.read(t).Spec.Replicas != 5 {
				t.Error("a stale record was projected")
			}
		})
	}
}

func TestWritesFailWhenTheObjectHasChangedSinceItWasRead(t *testing.T) {
	c, ctx := newCluster(t), context.Background()
	stale := c.read(t)
	if _, err := New(c).Project(ctx, stale, scaled(stale, 3), Stamp{UID: "u", Sequence: 1}); err != nil {
		t.Fatal(err)
	}
	_, err := New(c).ProjectUnstamped(ctx, stale, scaled(stale, 7))
	if !apierrors.IsConflict(errors.Unwrap(err)) || !IsConflict(err) {
		t.Fatalf("a write on an old read: %v, want a conflict", err)
	}
	if got := *c.read(t).Spec.Replicas; got != 3 {
		t.Errorf("replicas %d, want 3: the old write must not go through", got)
	}
}

func TestRecordIsCompareAndSwapAndSkipsWhatIsEqual(t *testing.T) {
	c, ctx := newCluster(t), context.Background()
	read := func() *v1alpha1.TrafficSplit {
		s := &v1alpha1.TrafficSplit{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: "shop", Name: "checkout"}, s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := read()
	after := before.DeepCopy()
	after.Status.ObservedGeneration = ptr.To[int64](1)
	if wrote, err := New(c).Record(ctx, before, after); err != nil || !wrote {
		t.Fatalf("Record = %v, %v; want a write", wrote, err)
	}
	if after.ResourceVersion == before.ResourceVersion {
		t.Error("Record did not carry the new resourceVersion over")
	}
	again := before.DeepCopy()
	again.Status.ObservedGeneration = ptr.To[int64](2)
	if _, err := New(c).Record(ctx, before, again); !IsConflict(err) {
		t.Errorf("Record on an old read: %v, want a conflict", err)
	}
	writes, now := c.writes, read()
	if wrote, err := New(c).Record(ctx, now, now.DeepCopy()); err != nil || wrote || c.writes != writes {
		t.Errorf("Record of an equal status: wrote %v, %v, %d writes; want none", wrote, err, c.writes-writes)
	}
}

func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	c := newCluster(t)
	before := c.read(t)
	wrote, err := New(c).Project(context.Background(), before, before.DeepCopy(), Stamp{UID: "u", Sequence: 9})
	if err != nil || wrote || c.writes != 0 {
		t.Errorf("Project of an equal object: wrote %v, %v, %d writes; want none", wrote, err, c.writes)
	}
}

func TestAnObjectThatWasNeverReadIsRefused(t *testing.T) {
	c := newCluster(t)
	if _, err := New(c).ProjectUnstamped(context.Background(), deployment(), scaled(deployment(), 7)); err == nil || c.writes != 0 {
		t.Errorf("a blind write: %v, %d writes; want an error and none", err, c.writes)
	}
}

func TestDeleteTakesOnlyWhatWasRead(t *testing.T) {
	c, ctx := newCluster(t), context.Background()
	old := c.read(t)
	if _, err := New(c).ProjectUnstamped(ctx, old, scaled(old, 4)); err != nil {
		t.Fatal(err)
	}
	if err := New(c).Delete(ctx, c.read(t)); err != nil {
		t.Fatal(err)
	}
	if err := New(c).Delete(ctx, old); err != nil {
		t.Errorf("deleting what is gone: %v, want nil", err)
	}
}

func TestParseStamp(t *testing.T) {
	cases := map[string]struct {
		want Stamp
		ok   bool
	}{
		"u/12":  {want: Stamp{UID: "u", Sequence: 12}, ok: true},
		"u/0":   {want: Stamp{UID: "u"}, ok: true},
		"u":     {},
		"/3":    {},
		"u/-1":  {},
		"u/1.5": {},
		"u/1/2": {},
	}
	for text, tc := range cases {
		t.Run(text, func(t *testing.T) {
			got, err := ParseStamp(text)
			if (err == nil) != tc.ok || cmp.Diff(tc.want, got) != "" {
				t.Errorf("ParseStamp(%q) = %v, %v; want %v, ok %v", text, got, err, tc.want, tc.ok)
			}
			if tc.ok && got.String() != text {
				t.Errorf("written back as %q", got.String())
			}
		})
	}
}

func TestTryCreatesNothing(t *testing.T) {
	c := newCluster(t)
	other := deployment()
	other.Name = "other-canary"
	if err := New(c).Try(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "other-canary"}, &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("it was created: %v", err)
	}
}
