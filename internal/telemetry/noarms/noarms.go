// Package noarms knows the data planes whose metrics cannot tell the arms of a release apart, so that each is refused by
// name, with the reason.
package noarms

import "slipway.dev/slipway/internal/telemetry"

// Planes are the data planes that are refused, sorted by name.
func Planes() []telemetry.NoArms {
	return []telemetry.NoArms{
		{
			Plane: "AWS Load Balancer Controller", Controllers: []string{"gateway.k8s.aws/alb"},
			Why: "a load balancer's metrics are in CloudWatch, for each target group, and not in Prometheus", Sources: []string{"docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html"},
		},
		{
			Plane: "Kong", Controllers: []string{"konghq.com/kic-gateway-controller"},
			Why: "it counts by Kong service, which is a rule of a route with all of its backends", Sources: []string{"docs.konghq.com/hub/kong-inc/prometheus"},
		},
		{
			Plane: "NGINX Gateway Fabric with open source NGINX", Controllers: []string{"gateway.nginx.org/nginx-gateway-controller"},
			Why: "it counts requests of the whole proxy only", Sources: []string{"docs.nginx.com/nginx-gateway-fabric/monitoring/prometheus"},
		},
		{
			Plane: "NGINX Ingress",
			Why:   "it tells a canary apart only where a canary Ingress of its own makes one, which Slipway does not write", Sources: []string{"kubernetes.github.io/ingress-nginx/user-guide/monitoring"},
		},
		{
			Plane: "VPC Lattice", Controllers: []string{"application-networking.k8s.aws/gateway-api-controller"},
			Why: "its metrics are in CloudWatch, for each target group, and not in Prometheus", Sources: []string{"docs.aws.amazon.com/vpc-lattice/latest/ug/monitoring-cloudwatch.html"},
		},
	}
}
