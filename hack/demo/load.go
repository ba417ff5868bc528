package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	loadName = "load"
	// steadySection begins when every request is answered: what was before it belongs to the setup.
	steadySection = "steady"
	// steadySeconds is for how long every request must have been answered by then.
	steadySeconds = 3
)

// counts of answers. Requests is the sum of the others.
type counts struct {
	Requests            int64 `json:"requests"`
	OK                  int64 `json:"ok"`
	FailedByApplication int64 `json:"failedByApplication"`
	FailedBySwitching   int64 `json:"failedBySwitching"`
}

func (c counts) plus(o counts) counts {
	return counts{c.Requests + o.Requests, c.OK + o.OK, c.FailedByApplication + o.FailedByApplication, c.FailedBySwitching + o.FailedBySwitching}
}

// stats is the part of what `shop load` counts that the demo reads.
type stats struct {
	At            time.Time               `json:"at"`
	RatePerSecond int64                   `json:"ratePerSecond"`
	Done          bool                    `json:"done"`
	Total         counts                  `json:"total"`
	Versions      map[string]versionStats `json:"versions"`
	Switching     struct {
		Recent []failure `json:"recent"`
	} `json:"switching"`
	Sections []section `json:"sections"`
	Windows  []window  `json:"windows"`
}

type versionStats struct {
	counts
	FirstAt    time.Time  `json:"firstAt"`
	LastAt     time.Time  `json:"lastAt"`
	FirstBadAt *time.Time `json:"firstBadAt"`
	LastBadAt  *time.Time `json:"lastBadAt"`
}

type section struct {
	counts
	Name     string            `json:"name"`
	Versions map[string]counts `json:"versions"`
}

type window struct {
	counts
}

type failure struct {
	At    time.Time `json:"at"`
	Code  int       `json:"code"`
	Cause string    `json:"cause"`
}

// since sums up the sections from the named one on.
func (s stats) since(name string) section {
	sum := section{Name: name, Versions: map[string]counts{}}
	begun := false
	for _, section := range s.Sections {
		if begun = begun || section.Name == name; !begun {
			continue
		}
		sum.counts = sum.plus(section.counts)
		for version, c := range section.Versions {
			sum.Versions[version] = sum.Versions[version].plus(c)
		}
	}
	return sum
}

// steady says whether the last whole seconds had no failure and at least half of the requests that there should be.
func (s stats) steady() bool {
	if len(s.Windows) < steadySeconds+1 {
		return false
	}
	whole := s.Windows[:len(s.Windows)-1]
	for _, w := range whole[len(whole)-steadySeconds:] {
		if w.OK != w.Requests || w.OK*2 < s.RatePerSecond {
			return false
		}
	}
	return true
}

// startLoad lets users in, and waits until all of them are answered.
func (d *demo) startLoad(ctx context.Context) error {
	gateway := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "gateway"}, Data: map[string]string{"address": d.address}}
	if err := d.cluster.Create(ctx, gateway); err != nil {
		return fmt.Errorf("create ConfigMap gateway: %w", err)
	}
	pod, err := d.loadPod()
	if err != nil {
		return err
	}
	if err := d.cluster.Create(ctx, pod); err != nil {
		return fmt.Errorf("create pod %s: %w", loadName, err)
	}
	err = d.await(ctx, awaited{"steady answers to all requests", 2 * time.Minute, func(ctx context.Context) (string, bool, error) {
		have, err := d.readStats(ctx)
		if err != nil {
			return "", false, fmt.Errorf("%w %v", err, d.podsIn(ctx, namespace))
		}
		return fmt.Sprintf("%+v, the last failures: %s", have.Total, joined(have.Switching.Recent)), have.steady(), nil
	}})
	if err != nil {
		return err
	}
	return d.mark(ctx, steadySection)
}

func (d *demo) loadPod() (*corev1.Pod, error) {
	objects, err := read("load.yaml")
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	text, err := json.Marshal(objects[0].Object)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, pod); err != nil {
		return nil, fmt.Errorf("read load.yaml: %w", err)
	}
	pod.Namespace, pod.Spec.Containers[0].Image = namespace, d.options.shopImage
	return pod, nil
}

// stopLoad lets the machine rest; the load would end by itself, too.
func (d *demo) stopLoad(ctx context.Context) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: loadName}}
	err := d.cluster.Delete(ctx, pod, &client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](1)})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("stop the load: %w", err)
	}
	return nil
}

func (d *demo) readStats(ctx context.Context) (stats, error) {
	var have stats
	text, err := d.askLoad(ctx, "stats", map[string]string{"windows": "10"})
	if err != nil {
		return have, err
	}
	if err := json.Unmarshal(text, &have); err != nil {
		return have, fmt.Errorf("read the load's counts: %w", err)
	}
	return have, nil
}

// mark begins a section of the load's counts.
func (d *demo) mark(ctx context.Context, name string) error {
	_, err := d.askLoad(ctx, "mark", map[string]string{"name": name})
	return err
}

func (d *demo) askLoad(ctx context.Context, path string, params map[string]string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	key := types.NamespacedName{Namespace: namespace, Name: loadName}
	text, err := d.cluster.proxy.CoreV1().Pods(key.Namespace).ProxyGet("http", key.Name, "8090", path, params).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask pod %s for /%s: %w", key, path, err)
	}
	return text, nil
}
