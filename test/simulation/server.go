package simulation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// server is the API server: what it has is the truth. Stored objects are never changed, only replaced.
type server struct {
	loop    *loop
	objects map[string]map[types.NamespacedName]client.Object
	version int64
	uids    int
	// recent are the changes of the last while, for those who are to see an older state.
	recent []change
	// admit changes what a request asks for, as admission policies do.
	admit func(r request)
	// heard are told of every change that was made.
	heard []func(c change)
}

// request is a write before it is stored. Old is nil for a create.
type request struct {
	user     string
	verb     string
	sub      string
	old, new client.Object
}

// change is a write that was stored. New is nil for an object that is gone.
type change struct {
	user     string
	verb     string
	sub      string
	kind     string
	key      types.NamespacedName
	old, new client.Object
	at       time.Time
}

// remembered is how long changes are remembered.
const remembered = 10 * time.Second

func newServer(l *loop) *server {
	return &server{loop: l, objects: map[string]map[types.NamespacedName]client.Object{}, admit: func(request) {}}
}

// kindOf is the name of an object's kind; of a list, that of its items.
func kindOf(o any) string {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.GetKind()
	}
	return strings.TrimSuffix(reflect.TypeOf(o).Elem().Name(), "List")
}

func (s *server) get(kind string, key types.NamespacedName) client.Object {
	return s.objects[kind][key]
}

// list gives all objects of a kind, sorted by name.
func (s *server) list(kind string) []client.Object { return sorted(s.objects[kind]) }

func sorted(objects map[types.NamespacedName]client.Object) []client.Object {
	out := slices.Collect(maps.Values(objects))
	slices.SortFunc(out, func(a, b client.Object) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}

func resourceOf(kind string) schema.GroupResource { return schema.GroupResource{Resource: kind} }

// create stores a new object.
func (s *server) create(user string, o client.Object) error {
	kind, key := kindOf(o), client.ObjectKeyFromObject(o)
	if s.get(kind, key) != nil {
		return apierrors.NewAlreadyExists(resourceOf(kind), key.Name)
	}
	stored := through(o)
	s.uids++
	stored.SetUID(types.UID("uid-" + strconv.Itoa(s.uids)))
	stored.SetGeneration(1)
	stored.SetCreationTimestamp(metav1.NewTime(s.loop.now.Truncate(1e9)))
	s.store(change{user: user, verb: "create", kind: kind, key: key, new: stored})
	return nil
}

// update stores an object in the place of another, through admission. What does not change anything is not stored.
func (s *server) update(user, sub string, next client.Object) {
	kind, key := kindOf(next), client.ObjectKeyFromObject(next)
	old := s.get(kind, key)
	if old == nil {
		return
	}
	if sub == "" || sub == "scale" {
		s.admit(request{user: user, verb: "update", sub: sub, old: old, new: next})
	}
	next.SetResourceVersion(old.GetResourceVersion())
	next.SetGeneration(old.GetGeneration())
	if equality.Semantic.DeepEqual(old, next) {
		return
	}
	if sub != "status" && !sameSpec(old, next) {
		next.SetGeneration(old.GetGeneration() + 1)
	}
	if next.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0 {
		s.remove(user, old)
		return
	}
	s.store(change{user: user, verb: "update", sub: sub, kind: kind, key: key, old: old, new: next})
}

// edit has a user change what is there; it reports whether it is.
func (s *server) edit(user, sub, kind string, key types.NamespacedName, change func(client.Object)) bool {
	old := s.get(kind, key)
	if old == nil {
		return false
	}
	next := old.DeepCopyObject().(client.Object)
	change(next)
	s.update(user, sub, next)
	return true
}

// delete removes an object, or marks it when finalizers keep it.
func (s *server) delete(user string, kind string, key types.NamespacedName) {
	old := s.get(kind, key)
	if old == nil || old.GetDeletionTimestamp() != nil {
		return
	}
	if len(old.GetFinalizers()) == 0 {
		s.remove(user, old)
		return
	}
	next := old.DeepCopyObject().(client.Object)
	next.SetDeletionTimestamp(&metav1.Time{Time: s.loop.now.Truncate(1e9)})
	next.SetGeneration(old.GetGeneration() + 1)
	s.store(change{user: user, verb: "delete", kind: kind, key: key, old: old, new: next})
}

// remove takes an object away, and what it owns.
func (s *server) remove(user string, o client.Object) {
	kind, key := kindOf(o), client.ObjectKeyFromObject(o)
	s.store(change{user: user, verb: "delete", kind: kind, key: key, old: o})
	for _, kind := range slices.Sorted(maps.Keys(s.objects)) {
		for _, dependent := range s.list(kind) {
			if owner := metav1.GetControllerOf(dependent); owner != nil && owner.UID == o.GetUID() {
				s.delete("garbage-collector", kind, client.ObjectKeyFromObject(dependent))
			}
		}
	}
}

func (s *server) store(c change) {
	s.version++
	if s.objects[c.kind] == nil {
		s.objects[c.kind] = map[types.NamespacedName]client.Object{}
	}
	if c.new == nil {
		delete(s.objects[c.kind], c.key)
	} else {
		c.new.SetResourceVersion(strconv.FormatInt(s.version, 10))
		s.objects[c.kind][c.key] = c.new
	}
	c.at = s.loop.now
	for len(s.recent) > 0 && c.at.Sub(s.recent[0].at) > remembered {
		s.recent = s.recent[1:]
	}
	s.recent = append(s.recent, c)
	for _, hear := range s.heard {
		hear(c)
	}
}

// patch is a JSON merge patch with the resourceVersion that it was made on.
func (s *server) patch(user, sub string, o client.Object, data []byte) (client.Object, error) {
	kind, key := kindOf(o), client.ObjectKeyFromObject(o)
	old := s.get(kind, key)
	if old == nil {
		return nil, apierrors.NewNotFound(resourceOf(kind), key.Name)
	}
	var change map[string]any
	if err := json.Unmarshal(data, &change); err != nil {
		return nil, err
	}
	if version, found, _ := unstructured.NestedString(change, "metadata", "resourceVersion"); found && version != old.GetResourceVersion() {
		return nil, apierrors.NewConflict(resourceOf(kind), key.Name, fmt.Errorf("version %s is not %s", version, old.GetResourceVersion()))
	}
	if sub == "status" {
		change = map[string]any{"status": change["status"]}
	} else {
		delete(change, "status")
	}
	next, err := merged(old, change)
	if err != nil {
		return nil, err
	}
	s.update(user, sub, next)
	if now := s.get(kind, key); now != nil {
		return now, nil
	}
	return next, nil
}

func merged(old client.Object, change map[string]any) (client.Object, error) {
	text, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(mergeInto(tree, change)); err != nil {
		return nil, err
	}
	next := emptyLike(old)
	return next, json.Unmarshal(text, next)
}

// mergeInto is RFC 7386.
func mergeInto(tree, change map[string]any) map[string]any {
	if tree == nil {
		tree = map[string]any{}
	}
	for name, value := range change {
		switch v := value.(type) {
		case nil:
			delete(tree, name)
		case map[string]any:
			below, _ := tree[name].(map[string]any)
			tree[name] = mergeInto(below, v)
		default:
			tree[name] = value
		}
	}
	return tree
}

func emptyLike(o client.Object) client.Object {
	return reflect.New(reflect.TypeOf(o).Elem()).Interface().(client.Object)
}

// through is the object as it comes back from JSON.
func through(o client.Object) client.Object {
	text, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("write %s: %v", kindOf(o), err))
	}
	next := emptyLike(o)
	if err := json.Unmarshal(text, next); err != nil {
		panic(fmt.Sprintf("read %s: %v", kindOf(o), err))
	}
	return next
}

// sameSpec compares what counts for the generation: all but metadata and status.
func sameSpec(a, b client.Object) bool {
	if x, ok := a.(*unstructured.Unstructured); ok {
		return reflect.DeepEqual(x.Object["spec"], b.(*unstructured.Unstructured).Object["spec"])
	}
	x, y := reflect.ValueOf(a).Elem().FieldByName("Spec"), reflect.ValueOf(b).Elem().FieldByName("Spec")
	return !x.IsValid() || equality.Semantic.DeepEqual(x.Interface(), y.Interface())
}
