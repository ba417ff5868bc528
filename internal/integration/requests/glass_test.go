package requests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

const operationsPage = "operations.md"

// steps runs a block of docs/operations.md as it is written there, as the administrator, and gives what it prints.
func (s shop) steps(name string) string {
	s.t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", operationsPage))
	if err != nil {
		s.t.Fatal(err)
	}
	block := regexp.MustCompile("<!-- steps: " + name + " -->\n```sh\n((?s).*?)```").FindSubmatch(page)
	if block == nil {
		s.t.Fatalf("%s has no steps with the name %q", operationsPage, name)
	}
	command := exec.CommandContext(s.t.Context(), "bash", "-euo", "pipefail", "-c", s.inThisCheckout(string(block[1])))
	command.Dir = s.manifests()
	command.Env = append(
		os.Environ(), "KUBECONFIG="+kubeconfig(adminUser), "PATH="+assets()+string(os.PathListSeparator)+os.Getenv("PATH"),
		"NAMESPACE="+s.namespace, "RELEASE=shop", "DEPLOYMENT=shop", "ROUTE=shop",
	)
	out, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("steps %q: %v\n%s", name, err, out)
	}
	return string(out)
}

func assets() string {
	dir, err := filepath.Abs(os.Getenv("KUBEBUILDER_ASSETS"))
	if err != nil {
		return os.Getenv("KUBEBUILDER_ASSETS")
	}
	return dir
}

// inThisCheckout has paths to config mean that of the sources.
func (s shop) inThisCheckout(block string) string {
	s.t.Helper()
	dir, err := filepath.Abs(root)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.ReplaceAll(block, "-k config/", "-k "+dir+"/config/")
}

// manifests is a directory with what its user has in Git.
func (s shop) manifests() string {
	s.t.Helper()
	dir := s.t.TempDir()
	route, err := yaml.Marshal(s.route().Object)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "route.yaml"), route, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return dir
}

func (s shop) route() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"name": "shop", "namespace": s.namespace},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "gw"}},
			"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "shop", "port": int64(80)}}}},
		},
	}}
}

// split has the route carry a split, as the operator writes it.
func (s shop) split() {
	s.t.Helper()
	r := s.route()
	s.create(r)
	r.SetAnnotations(map[string]string{v1alpha1.SplitAnnotation: "v1\nsplit shop u/3 shop * shop:900000,shop-canary:100000\nrule 0 * shop:1"})
	rule := r.Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)
	rule["backendRefs"] = []any{
		map[string]any{"name": "shop", "port": int64(80), "weight": int64(900000)},
		map[string]any{"name": "shop-canary", "port": int64(80), "weight": int64(100000)},
	}
	if err := server.operator.Update(s.t.Context(), r); err != nil {
		s.t.Fatalf("split the route: %v", err)
	}
}

// backends are the names in the live route.
func (s shop) backends() string {
	s.t.Helper()
	return s.must("get", "httproute", "shop", "-o", "jsonpath={.spec.rules[*].backendRefs[*].name}")
}

// push changes the image as a user does.
func (s shop) push(image string, opts ...client.UpdateOption) *appsv1.Deployment {
	s.t.Helper()
	d := s.target()
	d.Spec.Template.Spec.Containers[0].Image = image
	if err := server.admin.Update(s.t.Context(), d, opts...); err != nil {
		s.t.Fatalf("change the Deployment: %v", err)
	}
	return d
}

func (s shop) wouldHold() bool { return s.push("shop:probe", client.DryRunAll).Spec.Paused }

// wouldResume asks, without changing anything, whether the pause can be lifted.
func (s shop) wouldResume() bool {
	d := s.target()
	d.Spec.Paused = false
	return server.admin.Update(s.t.Context(), d, client.DryRunAll) == nil && !d.Spec.Paused
}

// reinstall brings back what a test has removed. The context of a test is done when its cleanups run.
func reinstall(t *testing.T) {
	t.Cleanup(func() {
		crds := envtest.CRDInstallOptions{Paths: []string{filepath.Join(root, "config", "crd", "slipway.dev_canaryreleases.yaml"), filepath.Join(root, "config", "crd", "slipway.dev_trafficsplits.yaml")}}
		if _, err := envtest.InstallCRDs(server.config, crds); err != nil {
			t.Errorf("install the CRDs again: %v", err)
		}
		if err := install(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("install policies and roles again: %v", err)
		}
	})
}

func TestWithTheOperatorDeadUsersAreTakenOffTheCanary(t *testing.T) {
	s := newShop(t)
	s.split()
	s.eventually("the guard keeps the split", func() bool {
		r := s.route()
		r.SetResourceVersion(s.must("get", "httproute", "shop", "-o", "jsonpath={.metadata.resourceVersion}"))
		if err := server.admin.Update(t.Context(), r); err != nil {
			t.Fatalf("write the route: %v", err)
		}
		kept := s.backends() == "shop shop-canary"
		if !kept {
			s.must("delete", "httproute", "shop")
			s.split()
		}
		return kept
	})
	reinstall(t)
	// The API server forgets a binding within moments: a person tries again, and so does this.
	s.eventually("the route is the user's", func() bool {
		s.stepsAgain("route")
		return s.backends() == "shop"
	})
	if got := s.must("get", "httproute", "shop", "-o", "jsonpath={.metadata.annotations}"); strings.Contains(got, v1alpha1.SplitAnnotation) {
		t.Errorf("the annotation is still there: %s", got)
	}
}

// stepsAgain is steps where the binding may be gone already.
func (s shop) stepsAgain(name string) {
	s.t.Helper()
	s.must("apply", "-f", filepath.Join(root, "config", "admission", "route-guard.yaml"))
	s.steps(name)
}

func TestWithTheOperatorDeadOneDeploymentIsLetGo(t *testing.T) {
	for name, tc := range map[string]struct{ serve, want string }{
		"the old template stays":   {serve: "shop:v1", want: "shop:v1"},
		"the change is rolled out": {want: "shop:v2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.create(s.trafficSplit())
			s.push("shop:v2")
			s.steps("one-deployment")
			s.eventually("the hold can be lifted", s.wouldResume)
			if tc.serve != "" {
				if d := s.push(tc.serve); !d.Spec.Paused {
					t.Error("writing the old template unpaused the Deployment: it would roll")
				}
			}
			s.steps("lift")
			s.letGoWith(tc.want)
			s.steps("finalizers")
			for _, o := range []client.Object{&v1alpha1.CanaryRelease{}, &v1alpha1.TrafficSplit{}} {
				if err := server.admin.Get(t.Context(), s.key(), o); !apierrors.IsNotFound(err) {
					t.Errorf("%T is still there: %v", o, err)
				}
			}
		})
	}
}

// trafficSplit is the release's, as the operator leaves it behind.
func (s shop) trafficSplit() *v1alpha1.TrafficSplit {
	return &v1alpha1.TrafficSplit{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.namespace, Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.TrafficSplitSpec{
			ServiceRef: v1alpha1.ServiceReference{Name: "shop"}, RouteRefs: []v1alpha1.RouteReference{{Name: "shop"}},
			Backends: []v1alpha1.WeightedBackend{{Name: "shop", Weight: new(int32(9))}, {Name: "shop-canary", Weight: new(int32(1))}},
		},
	}
}

// letGoWith checks that nothing holds the Deployment.
func (s shop) letGoWith(image string) {
	s.t.Helper()
	d := s.target()
	if d.Spec.Paused || d.Annotations[v1alpha1.HeldAnnotation] != "" || d.Spec.Template.Spec.Containers[0].Image != image {
		s.t.Errorf("paused %v, mark %q, image %s; want it free with %s",
			d.Spec.Paused, d.Annotations[v1alpha1.HeldAnnotation], d.Spec.Template.Spec.Containers[0].Image, image)
	}
	if d = s.push("shop:v9", client.DryRunAll); d.Spec.Paused {
		s.t.Error("another change would be held")
	}
}

func TestWithTheOperatorDeadAllDeploymentsAreLetGo(t *testing.T) {
	s := newShop(t)
	s.push("shop:v2")
	if got := s.steps("list-held"); !strings.Contains(got, s.namespace+"/shop\n") {
		t.Errorf("held Deployments are %q, want %s/shop among them", got, s.namespace)
	}
	reinstall(t)
	s.steps("all-deployments")
	s.eventually("the hold can be lifted", s.wouldResume)
	s.push("shop:v1")
	s.steps("lift")
	s.letGoWith("shop:v1")
	if got := s.steps("list-held"); strings.Contains(got, s.namespace) {
		t.Errorf("still listed as held: %q", got)
	}
}

// The steps say not to leave the mark: this is why.
func TestMarkThatIsLeftHoldsAgain(t *testing.T) {
	s := newShop(t)
	s.push("shop:v2")
	s.must("delete", "mutatingadmissionpolicybinding", "slipway-hold")
	s.eventually("the hold can be lifted", s.wouldResume)
	s.must("rollout", "resume", "deployment/shop")
	if err := install(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.eventually("changes are held again", s.wouldHold)
	s.must("label", "deployment", "shop", "team=checkout")
	if !s.target().Spec.Paused {
		t.Error("a Deployment with a mark that was left is not held: the page need not warn of it")
	}
}

func TestUninstalledInTheOrderOfThePage(t *testing.T) {
	s := newShop(t)
	s.push("shop:v2")
	s.split()
	got := s.steps("nothing-left")
	for _, want := range []string{"canaryrelease.slipway.dev/shop\n", s.namespace + "/shop\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("what is left is %q, want %q in it", got, want)
		}
	}
	s.cleanUpAsTheOperator()
	s.steps("delete-releases")
	if got := s.steps("nothing-left"); got != "" {
		t.Errorf("something is left: %s", got)
	}
	reinstall(t)
	s.steps("remove")
	s.eventually("changes are not held any more", func() bool { return !s.wouldHold() })
	if d := s.push("shop:v3"); d.Spec.Paused {
		t.Error("a change was held after everything was removed")
	}
	if out := s.must("get", "crd,clusterrole,mutatingadmissionpolicy,validatingadmissionpolicy,mutatingadmissionpolicybinding,validatingadmissionpolicybinding", "-o", "name"); strings.Contains(out, "slipway") {
		t.Errorf("of the installation is left:\n%s", out)
	}
}

// cleanUpAsTheOperator does in all namespaces what the operator does when releases are deleted.
func (s shop) cleanUpAsTheOperator() {
	s.t.Helper()
	all := &v1alpha1.CanaryReleaseList{}
	if err := server.operator.List(s.t.Context(), all); err != nil {
		s.t.Fatal(err)
	}
	for i := range all.Items {
		in := shop{s.t, all.Items[i].Namespace}
		d := in.target()
		d.Spec.Paused = false
		delete(d.Annotations, v1alpha1.HeldAnnotation)
		all.Items[i].Finalizers = nil
		for _, o := range []client.Object{d, &all.Items[i]} {
			if err := server.operator.Update(s.t.Context(), o); err != nil {
				s.t.Fatalf("write %T as the operator: %v", o, err)
			}
		}
	}
	r := s.route()
	r.SetResourceVersion(s.must("get", "httproute", "shop", "-o", "jsonpath={.metadata.resourceVersion}"))
	if err := server.operator.Update(s.t.Context(), r); err != nil {
		s.t.Fatalf("give the route back as the operator: %v", err)
	}
}
