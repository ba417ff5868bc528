package controllers

import (
	"context"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/workload"
)

// admissionKnownFor is how long an answer about the admission policies is believed. They change when Slipway is
// installed, and hardly ever else.
const admissionKnownFor = time.Minute

// AdmissionCheck says whether the policies are there without which nothing is held.
type AdmissionCheck struct {
	Live client.Reader
	// Served is what discovery says of admissionregistration.k8s.io/v1.
	Served func() (*metav1.APIResourceList, error)

	mu      sync.Mutex
	askedAt time.Time
	problem string
}

// Problem is what the user must do so that changes are held; empty when they are. What cannot be asked is no problem of
// the user's: the last answer stands.
func (a *AdmissionCheck) Problem(ctx context.Context, now time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.askedAt.IsZero() && now.Sub(a.askedAt) < admissionKnownFor {
		return a.problem
	}
	problem, err := a.ask(ctx)
	if err == nil {
		a.problem, a.askedAt = problem, now
	}
	return a.problem
}

func (a *AdmissionCheck) ask(ctx context.Context) (string, error) {
	served, err := a.Served()
	if err != nil && !apierrors.IsNotFound(err) {
		return "", err
	}
	if ok, why := workload.AdmissionServed(served); !ok {
		return why, nil
	}
	facts := workload.AdmissionFacts{Served: served}
	for _, name := range []string{workload.HoldPolicy, workload.FloorPolicy} {
		policy, binding := admissionv1.MutatingAdmissionPolicy{}, admissionv1.MutatingAdmissionPolicyBinding{}
		if found, err := a.get(ctx, name, &policy); err != nil {
			return "", err
		} else if found {
			facts.Policies = append(facts.Policies, policy)
		}
		if found, err := a.get(ctx, name, &binding); err != nil {
			return "", err
		} else if found {
			facts.Bindings = append(facts.Bindings, binding)
		}
	}
	_, why := workload.AdmissionReady(facts)
	return why, nil
}

func (a *AdmissionCheck) get(ctx context.Context, name string, into client.Object) (bool, error) {
	err := a.Live.Get(ctx, types.NamespacedName{Name: name}, into)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}
