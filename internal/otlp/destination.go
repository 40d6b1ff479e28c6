package otlp

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A Destination says what is exported, and where to. The zero Destination exports nothing.
type Destination struct {
	Endpoint     string // base URL, to which v1/logs and v1/traces are added; empty: as OTEL_EXPORTER_OTLP_* say
	Logs, Traces bool
}

// On says whether anything is exported.
func (d Destination) On() bool { return d.Logs || d.Traces }

// FromEnvironment makes the Destination of a base URL, which may be empty, and of
// the environment variables of OpenTelemetry, which getenv reads: a signal is on if
// the URL or a variable names an endpoint for it, unless OTEL_SDK_DISABLED,
// OTEL_LOGS_EXPORTER or OTEL_TRACES_EXPORTER turn it off. Headers, time-outs,
// compression, certificates and the sampler are read from the variables by the SDK.
// Errors name the variable at fault.
func FromEnvironment(endpoint string, getenv func(string) string) (Destination, error) {
	d := Destination{Endpoint: strings.TrimSuffix(endpoint, "/")}
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return Destination{}, nil
	}
	if err := checkURL(endpoint); endpoint != "" && err != nil {
		return Destination{}, err
	}
	for _, signal := range []struct {
		name string
		on   *bool
	}{{"LOGS", &d.Logs}, {"TRACES", &d.Traces}} {
		own := "OTEL_EXPORTER_OTLP_" + signal.name
		switch name := "OTEL_" + signal.name + "_EXPORTER"; getenv(name) {
		case "none":
			continue
		case "", "otlp":
		default:
			return Destination{}, fmt.Errorf("%s is %q; Gatehouse knows otlp and none", name, getenv(name))
		}
		if *signal.on = endpoint != "" || getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv(own+"_ENDPOINT") != ""; !*signal.on {
			continue
		}
		if p := cmp.Or(getenv(own+"_PROTOCOL"), getenv("OTEL_EXPORTER_OTLP_PROTOCOL")); p != "" && p != "http/protobuf" {
			return Destination{}, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q; Gatehouse speaks http/protobuf alone, which collectors take on port 4318", p)
		}
	}
	return d, nil
}

// checkURL says why text can't be a base URL.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return errors.New("give a URL such as http://localhost:4318")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return errors.New("give a URL without user, query and fragment; credentials go into OTEL_EXPORTER_OTLP_HEADERS")
	}
	return nil
}
