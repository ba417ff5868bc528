# The test cluster. RIG is its state folder, RIG_NAME its network namespace: with both changed, a second one runs beside.
RIG ?= $(CURDIR)/.rig
RIG_NAME ?= slipway
RIG_TOOL = $(RIG)/bin/rig
export RIG RIG_NAME

.PHONY: rig-tool rig-build rig-up rig-down rig-status rig-shell rig-image

rig-tool: ## build the program that runs the test cluster
	@cd hack/rig && CGO_ENABLED=0 go build -trimpath -o $(RIG_TOOL) .

rig-build: rig-tool ## build the parts of the test cluster (cached; many minutes the first time)
	@$(RIG_TOOL) build

rig-up: rig-tool ## start the test cluster with gateways and Prometheus
	@$(RIG_TOOL) up

rig-down: rig-tool ## stop the test cluster and forget its state
	@$(RIG_TOOL) down

rig-status: rig-tool ## say what of the test cluster runs
	@$(RIG_TOOL) status

rig-shell: rig-tool ## open a shell in the network of the test cluster, with KUBECONFIG set
	@$(RIG_TOOL) shell

rig-image: rig-tool ## build localhost/slipway:dev and localhost/shop:dev and load them into the test cluster
	CGO_ENABLED=0 go build -trimpath -o $(RIG)/bin/slipway .
	cd test && CGO_ENABLED=0 go build -trimpath -o $(RIG)/bin/shop ./shop
	@$(RIG_TOOL) import localhost/slipway:dev=$(RIG)/bin/slipway localhost/shop:dev=$(RIG)/bin/shop
