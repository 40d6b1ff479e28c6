# Gatehouse. `make help` lists the targets.
GO            ?= go
GOLANGCI      ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
STATICCHECK   ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK   ?= golang.org/x/vuln/cmd/govulncheck@v1.8.0
SQLC          ?= github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1

# Packages for the race detector: not the end-to-end tests, and not those without goroutines that take it minutes.
RACED         := $(GO) list ./... | grep -v -e /test/ -e /apigen -e /symptom

.DEFAULT_GOAL := help
.PHONY: help run build test test-deps unit e2e race lint vuln bench fuzz generate

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run Gatehouse from source, as the README says
	$(GO) run ./cmd/gatehouse up

build: ## build the static binary ./bin/gatehouse
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/gatehouse ./cmd/gatehouse

test: test-deps ## install what the tests need (Debian), then vet, unit, race and end-to-end tests
	$(GO) vet ./...
	$(GO) test -timeout 15m $$($(GO) list ./... | grep -v /test/)
	$(GO) test -timeout 15m -p 1 ./test/... # one after the other: they start processes and measure
	$(GO) test -timeout 15m -race $$($(RACED))

test-deps: ## install mosquitto-clients, openssl, the AWS CLI, Paho for C and the locked npm packages where missing
	scripts/install-test-clients

unit: ## go test without the real clients' end-to-end tests: needs Go only
	$(GO) test $$($(GO) list ./... | grep -v /test/)

e2e: test-deps ## only the end-to-end tests with real clients
	$(GO) test -count=1 -timeout 15m ./test/...

race: ## the race detector over everything but the end-to-end tests
	$(GO) test -race $$($(RACED))

lint: ## golangci-lint (which holds staticcheck) with the repository's configuration
	$(GO) run $(GOLANGCI) run ./...

vuln: ## known vulnerabilities in what we link; needs the online database
	$(GO) run $(GOVULNCHECK) ./...

bench: ## benchmarks side by side with peers: prints ratios of CPU time and memory
	$(GO) test -run '^$$' -bench . -benchmem ./policy ./mqtt ./internal/broker
	$(GO) run ./test/bench
	$(GO) run ./test/bench -start 10

fuzz: ## every fuzz target for ten seconds
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 10s $$pkg || exit 1; \
	  done; \
	done

generate: ## regenerate API code, SQL code and the pages of docs/checks
	$(GO) generate ./...
