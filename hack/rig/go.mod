module slipway.dev/slipway/hack/rig

go 1.26
