package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// results are the labels of outcomes: AWS's names in Prometheus' letters. Source: metrics sheet 6.
var results = [observe.Outcomes]struct{ aws, label string }{
	observe.Success:          {"Success", "success"},
	observe.AuthError:        {"AuthError", "auth_error"},
	observe.ClientError:      {"ClientError", "client_error"},
	observe.ServerError:      {"ServerError", "server_error"},
	observe.Throttle:         {"Throttle", "throttle"},
	observe.ClientIDThrottle: {"ClientIDThrottle", "client_id_throttle"},
}

// A row says what a kind of event is called, in CloudWatch and in Prometheus.
type row struct {
	aws      string            // before the dot, or all of the name if whole
	outcomes []observe.Outcome // that CloudWatch has a metric of
	whole    bool              // CloudWatch has one metric for all outcomes
	mqttOnly bool
	httpOnly bool
	notHTTP  []observe.Outcome // of outcomes, those that are not reported for HTTP

	name, help string
	plain      bool              // one Prometheus counter for all outcomes
	labels     prometheus.Labels // further ones
}

// rows are the kinds of events that are counted. Source: metrics sheet 1.1, 1.2 and 6.
var rows = map[observe.Kind]row{
	observe.Connect: {
		aws: "Connect", outcomes: []observe.Outcome{observe.Success, observe.AuthError, observe.ClientError, observe.ServerError, observe.Throttle, observe.ClientIDThrottle},
		name: "connects_total", help: "Connects, by what came of them.",
	},
	observe.AuthNError: {
		aws: "Connection.AuthNError", whole: true, // in Prometheus: see hubCollector
	},
	observe.Ping: {
		aws: "Ping", outcomes: []observe.Outcome{observe.Success}, mqttOnly: true,
		name: "pings_total", help: "PINGREQs.",
	},
	observe.PublishIn: {
		aws: "PublishIn", outcomes: []observe.Outcome{observe.Success, observe.AuthError, observe.ClientError, observe.ServerError, observe.Throttle},
		notHTTP: []observe.Outcome{observe.AuthError, observe.Throttle},
		name:    "publish_in_total", help: "Messages that devices and services published.",
	},
	observe.PublishOut: {
		aws: "PublishOut", outcomes: []observe.Outcome{observe.Success, observe.AuthError, observe.ClientError, observe.Throttle},
		name: "publish_out_total", help: "Deliveries to subscribers.",
	},
	observe.PublishRetained: {
		aws: "PublishRetained", outcomes: []observe.Outcome{observe.Success, observe.AuthError, observe.ServerError, observe.Throttle},
		name: "publish_retained_total", help: "Messages published with RETAIN; they count in gatehouse_publish_in_total too.",
	},
	observe.Queued: {
		aws: "Queued", outcomes: []observe.Outcome{observe.Success, observe.ServerError, observe.Throttle}, mqttOnly: true,
		name: "queued_total", help: "Messages for sessions without a connection.",
	},
	observe.Subscribe: {
		aws: "Subscribe", outcomes: []observe.Outcome{observe.Success, observe.AuthError, observe.ClientError, observe.ServerError, observe.Throttle}, mqttOnly: true,
		name: "subscribes_total", help: "SUBSCRIBE requests.",
	},
	observe.Unsubscribe: {
		aws: "Unsubscribe", outcomes: []observe.Outcome{observe.Success, observe.ClientError, observe.ServerError, observe.Throttle}, mqttOnly: true,
		name: "unsubscribes_total", help: "UNSUBSCRIBE requests.",
	},
	observe.PacketThrottle: {
		aws: "Throttle.Exceeded", whole: true, mqttOnly: true,
		name: "connection_packet_throttles_total", help: "Packets above a rate of one connection.", plain: true,
	},
	observe.GetRetainedMessage:   dataPlane("GetRetainedMessage"),
	observe.ListRetainedMessages: dataPlane("ListRetainedMessages"),
	observe.DeleteConnection:     dataPlane("DeleteConnection"),
	observe.GetConnection:        dataPlane("GetConnection"),
	observe.ListSubscriptions:    dataPlane("ListSubscriptions"),
	observe.SendDirectMessage:    dataPlane("SendDirectMessage"),
}

func dataPlane(operation string) row {
	return row{httpOnly: true, name: "data_plane_requests_total", help: "Requests of the data plane's API, by operation.", labels: prometheus.Labels{"operation": operation}}
}

// FollowHub makes the metrics of AWS/IoT, and counters of reg, of what hub counts.
// Both are the same numbers: increase() over five minutes is Sum over them.
func (s *Store) FollowHub(hub *observe.Hub, reg prometheus.Registerer) {
	for kind, r := range rows {
		for p := range observe.Protocols {
			if r.mqttOnly && p != observe.MQTT || r.httpOnly && p != observe.HTTP {
				continue
			}
			s.followKind(hub, kind, p, &r)
			if r.name != "" {
				exposeKind(hub, reg, kind, p, &r)
			}
		}
	}
	s.FollowEach(ID{Namespace: "AWS/IoT", Name: "RuleNotFound"}, "RuleName", hub.RulesMissed)
	reg.MustRegister(newHubCollector(hub))
}

func (s *Store) followKind(hub *observe.Hub, kind observe.Kind, p observe.Protocol, r *row) {
	id := ID{Namespace: "AWS/IoT", Name: r.aws, Dimensions: []Dimension{{"Protocol", p.String()}}}
	if r.whole {
		s.Follow(id, func() uint64 { return countAll(hub, kind, p) })
	}
	for _, o := range r.outcomes {
		if p == observe.HTTP && slices.Contains(r.notHTTP, o) {
			continue
		}
		one := id
		one.Name += "." + results[o].aws
		s.Follow(one, func() uint64 { return hub.Count(p, kind, o) })
	}
}

func exposeKind(hub *observe.Hub, reg prometheus.Registerer, kind observe.Kind, p observe.Protocol, r *row) {
	labels := prometheus.Labels{"protocol": map[observe.Protocol]string{observe.MQTT: "mqtt", observe.HTTP: "http"}[p]}
	maps.Copy(labels, r.labels)
	if r.plain {
		expose(reg, r.name, r.help, labels, func() float64 { return float64(countAll(hub, kind, p)) })
		return
	}
	for o := range observe.Outcomes {
		if o == observe.ClientIDThrottle && kind != observe.Connect {
			continue
		}
		one := prometheus.Labels{"result": results[o].label}
		maps.Copy(one, labels)
		expose(reg, r.name, r.help, one, func() float64 { return float64(hub.Count(p, kind, o)) })
	}
}

func countAll(hub *observe.Hub, kind observe.Kind, p observe.Protocol) (n uint64) {
	for o := range observe.Outcomes {
		n += hub.Count(p, kind, o)
	}
	return n
}

// namespace is before the name of every metric of ours in Prometheus.
const namespace = "gatehouse"

func expose(reg prometheus.Registerer, name, help string, labels prometheus.Labels, read func() float64) {
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels}, read))
}
