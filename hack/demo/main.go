// Command demo releases a good and a bad version of a shop under load, shows what happens, and says whether it went as it
// should. It runs against the cluster that KUBECONFIG names and must not change anything there but the operator and the
// namespace slipway-demo.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// options are what the user says. Images, Gateway and Prometheus have the test cluster's as defaults.
type options struct {
	image         string
	shopImage     string
	gateway       types.NamespacedName
	prometheusURL string // empty: what the operator's configuration says
	config        string // folder of the kustomization that is the operator
	binary        string // what the operator's image was made of; empty when the image says enough
	report        string // file for the summary as JSON
	rig           bool   // the cluster is the rig: how to look around is said accordingly
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
	case interrupted:
		fmt.Fprintln(os.Stderr, "demo: interrupted; the cluster stays as it is")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := connect()
	if err != nil {
		return err
	}
	d := &demo{options: o, cluster: c, now: time.Now, screen: newScreen(os.Stdout)}
	return d.run(ctx)
}

func parse(args []string) (options, error) {
	var o options
	var gateway string
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&o.image, "image", defaultImage, "image of the operator; the cluster must be able to pull it")
	flags.StringVar(&o.shopImage, "shop-image", "localhost/shop:dev", "image of the shop; the cluster must be able to pull it")
	flags.StringVar(&gateway, "gateway", "gateway-system/gw", "namespace/name of the Gateway that serves the shop")
	flags.StringVar(&o.prometheusURL, "prometheus-url", "", "Prometheus as pods reach it (default: as in the operator's configuration)")
	flags.StringVar(&o.config, "config", "config/default", "folder with the kustomization that installs the operator")
	flags.StringVar(&o.binary, "binary", "", "file that the operator's image was made of: another one restarts the operator")
	flags.StringVar(&o.report, "report", "demo.json", "file for the summary as JSON")
	flags.BoolVar(&o.rig, "rig", false, "the cluster is the one of make rig-up")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	namespace, name, found := strings.Cut(gateway, "/")
	if !found || namespace == "" || name == "" {
		return o, fmt.Errorf("read --gateway: have %q, want namespace/name", gateway)
	}
	o.gateway = types.NamespacedName{Namespace: namespace, Name: name}
	return o, nil
}
