package telemetry

import (
	"net/netip"
	"strings"
)

// ScrapedSubjects name what a series was scraped from, so that two jobs that scrape the same thing are found out.
func ScrapedSubjects(l Labels) []string {
	var s []string
	if l["pod"] != "" {
		s = append(s, "pod "+l["namespace"]+"/"+l["pod"])
	}
	// An agent beside the proxy gives every proxy the same loopback address.
	if instance := l["instance"]; instance != "" && !loopback(instance) {
		s = append(s, "instance "+instance)
	}
	return s
}

func loopback(instance string) bool {
	if address, err := netip.ParseAddrPort(instance); err == nil {
		return address.Addr().IsLoopback()
	}
	host, _, _ := strings.Cut(instance, ":")
	return host == "localhost"
}
