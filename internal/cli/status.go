package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kwait "k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

func (p *people) statusCommand() *cobra.Command {
	s := statusView{people: p}
	c := &cobra.Command{
		Use: "status NAME | deployment/NAME", Short: "Show where a release stands and why, on one screen",
		Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			s.out = c.OutOrStdout()
			return s.run(c.Context(), args[0])
		},
	}
	c.Flags().BoolVarP(&s.watch, "watch", "w", false, "draw it again whenever something changes, until interrupted")
	return c
}

// statusView is one run of status.
type statusView struct {
	*people
	watch bool
	out   io.Writer
	// drawn is the screen that stands there.
	drawn string
}

func (s *statusView) run(ctx context.Context, arg string) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	cr, err := c.named(ctx, arg)
	if err != nil {
		return err
	}
	if !s.watch {
		fmt.Fprint(s.out, c.scene(ctx, cr, s.now()).screen())
		return nil
	}
	return kwait.PollUntilContextCancel(ctx, s.every, true, func(ctx context.Context) (bool, error) {
		now, err := c.release(ctx, cr.Name)
		if err != nil {
			fmt.Fprintf(s.out, "cannot be asked just now: %v\n", err)
			return false, onlyFinal(err)
		}
		s.draw(c.scene(ctx, now, s.now()).screen())
		return false, nil
	})
}

// clearScreen puts the cursor at the top and clears what is below it.
const clearScreen = "\x1b[H\x1b[2J"

// draw shows a screen over the last one on a terminal, and below it elsewhere.
func (s *statusView) draw(screen string) {
	if screen == s.drawn {
		return
	}
	if terminal(s.out) {
		fmt.Fprint(s.out, clearScreen)
	} else if s.drawn != "" {
		fmt.Fprintln(s.out, "---")
	}
	fmt.Fprint(s.out, screen)
	s.drawn = screen
}

func terminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// scene is all that a screen shows. What cannot be read is a line in troubles, and no reason to show nothing.
type scene struct {
	now      time.Time
	release  *v1alpha1.CanaryRelease
	target   *appsv1.Deployment
	split    *v1alpha1.TrafficSplit
	pods     []corev1.Pod
	troubles []string
}

func (c cluster) scene(ctx context.Context, cr *v1alpha1.CanaryRelease, now time.Time) scene {
	s := scene{now: now, release: cr}
	target, split := &appsv1.Deployment{}, &v1alpha1.TrafficSplit{}
	if s.read(ctx, c, cr.Spec.TargetRef.Name, target) {
		s.target = target
	}
	// A split of that name that somebody else made says nothing about this release.
	if s.read(ctx, c, cr.Name, split) && metav1.IsControlledBy(split, cr) {
		s.split = split
	}
	s.readPods(ctx, c)
	return s
}

// read reports whether the object is there.
func (s *scene) read(ctx context.Context, c cluster, name string, into client.Object) bool {
	err := c.client.Get(ctx, client.ObjectKey{Namespace: s.release.Namespace, Name: name}, into)
	if err != nil && !apierrors.IsNotFound(err) {
		s.troubles = append(s.troubles, fmt.Sprintf("read %T %s: %v", into, name, err))
	}
	return err == nil
}

// readPods finds the pods of the canary, which its Deployment selects.
func (s *scene) readPods(ctx context.Context, c cluster) {
	twin := &appsv1.Deployment{}
	if !s.read(ctx, c, s.release.Spec.TargetRef.Name+v1alpha1.CanarySuffix, twin) || !metav1.IsControlledBy(twin, s.release) {
		return
	}
	selector, err := metav1.LabelSelectorAsSelector(twin.Spec.Selector)
	if err != nil {
		s.troubles = append(s.troubles, fmt.Sprintf("read the selector of Deployment %s: %v", twin.Name, err))
		return
	}
	list := &corev1.PodList{}
	err = c.client.List(ctx, list, client.InNamespace(s.release.Namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		s.troubles = append(s.troubles, fmt.Sprintf("list the canary's pods: %v", err))
		return
	}
	s.pods = list.Items
	slices.SortFunc(s.pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
}
