package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/workload"
)

// revisions keeps the templates on record that must not be lost with status, the twin or the Deployment: what is held,
// what was rejected, what is stable. It comes before the target is written.
func (p projection) revisions(ctx context.Context) error {
	for _, part := range []func(context.Context) error{p.candidate, p.rejected, p.stable} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// candidate records the held template, and who owns its fields, before a put-back may overwrite it.
func (p projection) candidate(ctx context.Context) error {
	d := p.w.target
	if d == nil || !workload.Held(d) || p.d.Next.Stage == release.Deleting || p.d.Next.Stage == release.LettingThrough {
		return nil
	}
	if p.w.stable != nil && workload.SameTemplate(d.Spec.Template, p.w.stable.Spec.Template) {
		return nil
	}
	if workload.FindTemplate(p.w.revisions, workload.RevisionCandidate, d.Spec.Template) != nil {
		return nil
	}
	return p.createWithOwners(ctx, workload.RevisionCandidate, d)
}

func (p projection) rejected(ctx context.Context) error {
	if p.d.Want.Rejected == "" {
		return nil
	}
	record := p.templateRecord(p.d.Want.Rejected)
	if record == nil {
		return nil
	}
	template, err := workload.ReadTemplate(record)
	if err != nil || workload.FindTemplate(p.w.revisions, workload.RevisionRejected, template) != nil {
		return err
	}
	return p.create(ctx, workload.RevisionRejected, template)
}

// stable records the template that serves, once it is recorded as stable in the run.
func (p projection) stable(ctx context.Context) error {
	rs := p.w.stable
	if rs == nil || string(rs.UID) != p.d.Next.Stable.UID || p.d.Next.Stage == release.Deleting {
		return nil
	}
	present := workload.PresentStable(p.w.cr, p.w.revisions)
	if present != nil {
		if template, err := workload.ReadTemplate(present); err == nil && workload.SameTemplate(template, rs.Spec.Template) {
			return nil
		}
	}
	again := workload.FindTemplate(p.w.revisions, workload.RevisionStable, rs.Spec.Template)
	if again == nil && p.w.target != nil && workload.SameTemplate(p.w.target.Spec.Template, rs.Spec.Template) {
		return p.createWithOwners(ctx, workload.RevisionStable, p.w.target)
	}
	if again == nil {
		return p.create(ctx, workload.RevisionStable, rs.Spec.Template)
	}
	after := again.DeepCopy()
	after.Revision = workload.NextNumber(p.w.cr, p.w.revisions, workload.RevisionStable)
	_, err := p.r.Store.Project(ctx, again, after, p.stamp)
	return err
}

func (p projection) create(ctx context.Context, kind workload.RevisionKind, template corev1.PodTemplateSpec) error {
	record, err := p.newRecord(kind, template)
	if err != nil {
		return err
	}
	return p.r.Store.Create(ctx, record, p.stamp)
}

// createWithOwners records the template that is in the Deployment, and who owns its fields.
func (p projection) createWithOwners(ctx context.Context, kind workload.RevisionKind, d *appsv1.Deployment) error {
	live := &appsv1.Deployment{}
	if err := p.r.Live.Get(ctx, client.ObjectKeyFromObject(d), live); err != nil {
		return wrap("read Deployment", err)
	}
	if !workload.SameTemplate(live.Spec.Template, d.Spec.Template) {
		// Somebody has written another one meanwhile: what is stable now would get a template on record that never was.
		return fmt.Errorf("read Deployment %s: %w", client.ObjectKeyFromObject(d), store.ErrStale)
	}
	record, err := p.newRecord(kind, live.Spec.Template)
	if err != nil {
		return err
	}
	if record, err = workload.RecordManagedFields(record, live); err != nil {
		return err
	}
	return p.r.Store.Create(ctx, record, p.stamp)
}

func (p projection) newRecord(kind workload.RevisionKind, template corev1.PodTemplateSpec) (*appsv1.ControllerRevision, error) {
	return workload.NewRevision(p.w.cr, kind, template, workload.NextNumber(p.w.cr, p.w.revisions, kind))
}

// templateRecord finds the record of a template by its short name.
func (p projection) templateRecord(revision string) *appsv1.ControllerRevision {
	for _, kind := range []workload.RevisionKind{workload.RevisionCandidate, workload.RevisionRejected, workload.RevisionStable} {
		for _, record := range workload.RevisionsOf(p.w.cr, p.w.revisions, kind) {
			template, err := workload.ReadTemplate(&record)
			if err == nil && workload.Revision(template) == revision {
				return &record
			}
		}
	}
	return nil
}

// tidy forgets records over the limits, when no release runs that may need them.
func (p projection) tidy(ctx context.Context) error {
	if p.d.Next.Stage != release.Idle {
		return nil
	}
	for _, record := range workload.Surplus(p.w.cr, p.w.revisions) {
		if err := p.r.Store.Delete(ctx, &record); err != nil {
			return err
		}
	}
	return nil
}
