package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// hubCollector exposes what a hub tallies. Its labels are bounded by AWS's
// vocabularies and the catalogue of checks. Source: metrics sheet 6.
type hubCollector struct {
	hub                                          *observe.Hub
	authN, handshakes, disconnects, pings, rules *prometheus.Desc
}

func newHubCollector(hub *observe.Hub) *hubCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &hubCollector{
		hub:         hub,
		authN:       desc("authn_errors_total", "Connections and requests refused in authentication, by AWS's reason.", "protocol", "authentication_type", "reason"),
		handshakes:  desc("tls_rejected_total", "Connections refused where AWS keeps silent, such as an unknown SNI, by the check that refused them.", "stage", "cause"),
		disconnects: desc("disconnects_total", "Ends of sessions' connections, by AWS's disconnectReason.", "reason"),
		pings:       desc("ping_seconds", "Time from the read of a PINGREQ to its answer."),
		rules:       desc("rule_events_total", "What the rules engine did, by AWS's name of it. Rules that do not exist have no name here: devices choose it.", "rule", "event"),
	}
}

// Describe implements [prometheus.Collector].
func (c *hubCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.authN
	out <- c.handshakes
	out <- c.disconnects
	out <- c.pings
	out <- c.rules
}

// Collect implements [prometheus.Collector].
func (c *hubCollector) Collect(out chan<- prometheus.Metric) {
	t := c.hub.Tallies()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for protocol, of := range t.AuthN {
		for kind, n := range of {
			count(c.authN, n, strings.ToLower(protocol.String()), kind.Type, kind.Reason)
		}
	}
	for by, n := range t.Handshakes {
		count(c.handshakes, n, by.Stage.String(), by.Code)
	}
	for reason, n := range t.Disconnects {
		count(c.disconnects, n, reason)
	}
	count(c.rules, countAll(c.hub, observe.RuleNotFound, observe.MQTT)+countAll(c.hub, observe.RuleNotFound, observe.HTTP), "", "RuleNotFound")
	buckets := map[float64]uint64{}
	total := uint64(0)
	for i, n := range t.Pings.Within {
		if total += n; i < len(observe.PingBounds) {
			buckets[observe.PingBounds[i].Seconds()] = total
		}
	}
	out <- prometheus.MustNewConstHistogram(c.pings, total, t.Pings.Total.Seconds(), buckets)
}
