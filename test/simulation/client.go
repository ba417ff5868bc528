package simulation

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operatorClient is what a process reads and writes with: it reads its cache, and its writes may fail, or succeed and
// seem to fail, or be the last thing that the process does.
type operatorClient struct {
	client.Client
	process *process
}

// Get is client.Reader's.
func (o operatorClient) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	return o.process.cache.has.read(key, into)
}

// List is client.Reader's.
func (o operatorClient) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return o.process.cache.has.list(list, opts...)
}

// Create is client.Writer's.
func (o operatorClient) Create(_ context.Context, obj client.Object, opts ...client.CreateOption) error {
	var options client.CreateOptions
	options.ApplyOptions(opts)
	if len(options.DryRun) > 0 {
		// This API server takes whatever it is given.
		return nil
	}
	return o.process.write(attempt{verb: "create", object: obj, do: func() error {
		if err := o.process.server.create(operatorUser, obj); err != nil {
			return err
		}
		copyInto(o.process.server.get(kindOf(obj), client.ObjectKeyFromObject(obj)), obj)
		return nil
	}})
}

// Patch is client.Writer's.
func (o operatorClient) Patch(_ context.Context, obj client.Object, p client.Patch, _ ...client.PatchOption) error {
	return o.patch("", obj, p)
}

func (o operatorClient) patch(sub string, obj client.Object, p client.Patch) error {
	data, err := p.Data(obj)
	if err != nil {
		return err
	}
	return o.process.write(attempt{verb: "patch", sub: sub, object: obj, data: data, do: func() error {
		now, err := o.process.server.patch(operatorUser, sub, obj, data)
		if err == nil {
			copyInto(now, obj)
		}
		return err
	}})
}

// Delete is client.Writer's.
func (o operatorClient) Delete(_ context.Context, obj client.Object, opts ...client.DeleteOption) error {
	var options client.DeleteOptions
	options.ApplyOptions(opts)
	return o.process.write(attempt{verb: "delete", object: obj, preconditions: options.Preconditions, do: func() error {
		kind, key := kindOf(obj), client.ObjectKeyFromObject(obj)
		now := o.process.server.get(kind, key)
		if now == nil {
			return apierrors.NewNotFound(resourceOf(kind), key.Name)
		}
		if p := options.Preconditions; p != nil && (p.UID != nil && *p.UID != now.GetUID() ||
			p.ResourceVersion != nil && *p.ResourceVersion != now.GetResourceVersion()) {
			return apierrors.NewConflict(resourceOf(kind), key.Name, nil)
		}
		o.process.server.delete(operatorUser, kind, key)
		return nil
	}})
}

// Status is client.StatusClient's.
func (o operatorClient) Status() client.SubResourceWriter { return statusClient{of: o} }

type statusClient struct {
	client.SubResourceWriter
	of operatorClient
}

// Patch is client.SubResourceWriter's.
func (s statusClient) Patch(_ context.Context, obj client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
	return s.of.patch("status", obj, p)
}
