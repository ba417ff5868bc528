package gitops

import (
	"errors"
	"fmt"

	"github.com/itchyny/gojq"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// normalizer takes out what Argo CD does not compare: status, as it is set up by default, and what an Application ignores
// of its HTTPRoutes.
type normalizer struct{ deletions []*gojq.Code }

func newNormalizer(paths []string) (normalizer, error) {
	var n normalizer
	for _, path := range paths {
		query, err := gojq.Parse("del(" + path + ")")
		if err != nil {
			return n, fmt.Errorf("read jq path %q: %w", path, err)
		}
		code, err := gojq.Compile(query)
		if err != nil {
			return n, fmt.Errorf("read jq path %q: %w", path, err)
		}
		n.deletions = append(n.deletions, code)
	}
	return n, nil
}

// Normalize implements diff.Normalizer.
func (n normalizer) Normalize(object *unstructured.Unstructured) error {
	delete(object.Object, "status")
	if object.GetKind() != "HTTPRoute" {
		return nil
	}
	for _, deletion := range n.deletions {
		// jq knows no int64.
		var err error
		object.Object, err = firstObject(deletion.Run(jqValue(object.Object)))
		if err != nil {
			return err
		}
	}
	return nil
}

func firstObject(results gojq.Iter) (map[string]any, error) {
	value, _ := results.Next()
	if err, failed := value.(error); failed {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("the jq path makes something else than an object")
	}
	return object, nil
}

func jqValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, item := range value {
			out[key] = jqValue(item)
		}
		return out
	case []any:
		out := make([]any, 0, len(value))
		for _, item := range value {
			out = append(out, jqValue(item))
		}
		return out
	case int64:
		return int(value)
	}
	return value
}
