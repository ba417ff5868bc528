# Slipway. `make help` says what there is; what takes more than a line or two is a script in hack/.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

IMG ?= localhost/slipway:dev
CONTAINER_TOOL ?= docker
KUBECTL ?= kubectl
FUZZTIME ?= 20s
SCENARIO ?=
E2E_TIMEOUT ?= 45m
TOOL := hack/tools/tool

include rig.mk

.PHONY: help
help: ## say what targets there are
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

##: Generated files

.PHONY: generate manifests docs
generate: ## write the deepcopy functions from the API types
	hack/step-generate.sh code

manifests: ## write CRDs and the operator's role from the markers in the sources
	hack/step-generate.sh manifests

docs: ## write the API reference from the API types
	hack/step-generate.sh docs

##: Checks

.PHONY: fmt fix lint verify vuln
fmt: ## format the Go code
	$$($(TOOL) golangci-lint) fmt

fix: ## have the linters repair what they can
	$$($(TOOL) golangci-lint) run --fix

lint: ## run the linters over all modules, and those for API types over api/
	hack/step-lint.sh

verify: ## run all generators and compare; build every kustomization
	hack/verify.sh

vuln: ## look the dependencies up in the Go vulnerability database (needs the network)
	$$($(TOOL) govulncheck) ./...

##: Tests

.PHONY: test test-unit test-integration test-e2e test-drills bench-e2e bench-scale fuzz bench
test: ## everything that must pass: verify, unit, simulation, lint, integration, e2e
	@hack/step-all.sh

test-unit: ## tests that need nothing but Go
	go test -shuffle=on $$(go list ./... | grep -v /integration)
	cd test && go test -shuffle=on $$(go list ./... | grep -v -e /e2e -e /simulation)

test-integration: ## tests against a real API server and etcd
	assets=$$(hack/step-assets.sh) && KUBEBUILDER_ASSETS=$$assets go test -timeout 20m -p 1 $$(go list ./... | grep /integration)

test-e2e: rig-up rig-image ## tests on the rig's cluster, with the operator deployed; SCENARIO=name runs one
	$(MAKE) --no-print-directory deploy KUBECTL="$(RIG_TOOL) exec kubectl"
	cd test && CGO_ENABLED=0 go test -count=1 -timeout $(E2E_TIMEOUT) -run '^TestScenarios$$$(if $(SCENARIO),/^($(SCENARIO))$$)' -v -exec '$(RIG_TOOL) exec' ./e2e/...

test-drills: rig-up rig-image ## break-glass and uninstall, step by step as documented, on the rig's cluster (does not pass as a whole yet)
	$(MAKE) --no-print-directory deploy KUBECTL="$(RIG_TOOL) exec kubectl"
	cd test && CGO_ENABLED=0 go test -count=1 -timeout $(E2E_TIMEOUT) -run '^TestDrills$$' -v -exec '$(RIG_TOOL) exec' ./e2e/...

bench-e2e: rig-up rig-image ## measure on the rig's cluster: detection, harm to users, failed requests by switching
	$(MAKE) --no-print-directory deploy KUBECTL="$(RIG_TOOL) exec kubectl"
	cd test && CGO_ENABLED=0 go test -count=1 -timeout 90m -run '^$$' -bench . -benchtime 1x -v -exec '$(RIG_TOOL) exec' ./e2e/...

bench-scale: ## measure the operator with 1,000 releases and 200 of them active, against limits (about ten minutes)
	assets=$$(hack/step-assets.sh) && mkdir -p $(RIG) && KUBEBUILDER_ASSETS=$$assets go test -count=1 -timeout 40m -v ./internal/integration/scale \
		-idle 1000 -few 20 -active 200 -window 1m -report $(RIG)/scale.txt

fuzz: ## run every fuzz target for FUZZTIME
	hack/step-fuzz.sh $(FUZZTIME)

bench: ## print figures: name, value, unit, measured on what, with those of the last bench-e2e; BASE= compares with earlier raw output
	@hack/step-bench.sh

SEEDS ?= 500

.PHONY: test-sim mutants
test-sim: ## releases through made-up faults, SEEDS of them, against the real reconcilers
	cd test && go test -count=1 ./simulation -seeds $(SEEDS)

mutants: ## break the code on purpose, one break at a time: each must be found
	go run ./hack/mutants

.PHONY: judge-report
judge-report: ## simulate releases and write docs/judge-report.md with its pictures (about ten minutes)
	cd test && go run ./judge -runs 250 -seed 1 -out ../docs

##: Build and run

.PHONY: build image install deploy demo
build: ## build the operator and command line into bin/, also as the kubectl plug-in
	CGO_ENABLED=0 go build -trimpath -o bin/slipway .
	ln -sf slipway bin/kubectl-slipway

image: ## build the image IMG with CONTAINER_TOOL
	$(CONTAINER_TOOL) build -t $(IMG) .

install: ## put the CRDs into the cluster that kubectl points at
	$$($(TOOL) kustomize) build config/crd | $(KUBECTL) apply --server-side --force-conflicts -f -

deploy: install ## put the operator, its roles and its admission policies into that cluster
	$$($(TOOL) kustomize) build config/default | $(KUBECTL) apply --server-side --force-conflicts -f -

##: The demo. IMAGE, SHOP_IMAGE, GATEWAY and PROMETHEUS_URL say what an existing cluster can pull and where its parts are.

IMAGE ?= $(IMG)
SHOP_IMAGE ?= localhost/shop:dev
GATEWAY ?= gateway-system/gw
PROMETHEUS_URL ?=
DEMO = $(RIG)/bin/demo --report=$(RIG)/demo.json

.PHONY: demo-tool
demo-tool:
	@CGO_ENABLED=0 go build -trimpath -o $(RIG)/bin/demo ./hack/demo

demo: demo-tool ## release a good and a bad version under load; elsewhere: KUBECONFIG= IMAGE= SHOP_IMAGE= GATEWAY=ns/name PROMETHEUS_URL=
ifeq ($(origin KUBECONFIG),command line)
	@KUBECONFIG=$(KUBECONFIG) $(DEMO) --image=$(IMAGE) --shop-image=$(SHOP_IMAGE) --gateway=$(GATEWAY) --prometheus-url=$(PROMETHEUS_URL)
else
	@$(MAKE) --no-print-directory rig-up rig-image
	@$(RIG_TOOL) exec $(DEMO) --rig --binary=$(RIG)/bin/slipway
endif
