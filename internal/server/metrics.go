package server

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// MetricsPath is where Prometheus scrapes.
const MetricsPath = "/metrics"

// openMetrics opens the metrics that outlive the process, and makes the registry
// that Prometheus reads.
func (s *Server) openMetrics() (err error) {
	if s.metrics, err = metrics.Open(metrics.Config{File: s.dir.file("metrics.log"), Log: s.cfg.Log}); err != nil {
		return err
	}
	s.opened = append(s.opened, s.metrics.Close)
	s.prometheus = metrics.NewRegistry()
	s.functionMeter = metrics.NewFunctions(s.metrics, s.prometheus)
	s.logLosses = metrics.NewLogLosses(s.metrics, s.prometheus)
	return nil
}

// logLost counts entries of devices that the log store did not take. The store is
// open before there are metrics, but takes entries only afterwards.
func (s *Server) logLost(group string, of logs.Loss, entries int) {
	if s.logLosses != nil {
		s.logLosses.Lost(group, of, entries)
	}
}

// exposeMetrics adds what the parts of the server count. Nothing on the data's way
// knows of it: everything is read when it is asked for.
func (s *Server) exposeMetrics() {
	s.metrics.FollowHub(s.observe, s.prometheus)
	metrics.ExposeAttempts(s.prometheus, s.attempts)
	s.exposeExport()
	counter := func(name, help string, read func() uint64) metrics.Reading {
		return metrics.Reading{Name: name, Help: help, Counter: true, Read: func() float64 { return float64(read()) }}
	}
	gauge := func(name, help string, read func() float64) metrics.Reading {
		return metrics.Reading{Name: name, Help: help, Read: read}
	}
	connections := func(protocol string, read func() float64) metrics.Reading {
		r := gauge("connections", "Connections at the devices' ports: with an MQTT session, over TLS or WebSocket; other: waiting, in their handshake, or HTTPS.", read)
		r.Labels = prometheus.Labels{"protocol": protocol}
		return r
	}
	usage := remembered(s.messages.Usage)
	logStore := remembered(s.logs.Usage)
	metrics.Expose(
		s.prometheus,
		metrics.Reading{
			Name: "build_info", Help: "1, with what runs.", Labels: prometheus.Labels{"version": buildVersion(), "goversion": runtime.Version()},
			Read: func() float64 { return 1 },
		},
		connections("mqtt", func() float64 { n, _ := s.mqtt.Open(); return float64(n) }),
		connections("mqtt_ws", func() float64 { _, n := s.mqtt.Open(); return float64(n) }),
		connections("other", func() float64 { // read one after the other: never below 0
			open := s.gateway.Stats().Open
			tls, ws := s.mqtt.Open()
			return float64(max(0, int64(open)-tls-ws))
		}),
		gauge("handshakes", "Connections in their handshake.", func() float64 { return float64(s.gateway.Stats().Handshakes) }),
		counter("connections_accepted_total", "Connections accepted at the devices' ports.", func() uint64 { return s.gateway.Stats().Accepted }),
		counter("connections_turned_away_total", "Connections turned away because there were too many.", func() uint64 { return s.gateway.Stats().Refused }),

		gauge("persistent_sessions", "Sessions in the message log.", func() float64 { return float64(usage().Sessions) }),
		gauge("queued_messages", "Messages that wait in queues of sessions and shared subscriptions.", func() float64 { return float64(usage().Messages) }),
		gauge("queued_references", "References of queues to messages: a message counts for each session that waits for it.", func() float64 { return float64(usage().References) }),
		gauge("queued_bytes", "Bytes of messages that wait.", func() float64 { return float64(usage().Bytes) }),
		gauge("retained_messages", "Retained messages.", func() float64 { return float64(usage().Retained) }),
		gauge("message_log_disk_bytes", "Disk that the message log takes.", func() float64 { return float64(usage().DiskBytes) }),
		gauge("message_log_up", "1 while the message log takes messages, 0 while it is broken or full.", func() float64 { return up(usage().Err == nil) }),

		gauge("log_store_disk_bytes", "Disk that the log store takes.", func() float64 { return float64(logStore().DiskBytes) }),
		gauge("log_groups", "Log groups.", func() float64 { return float64(logStore().Groups) }),
		counter("log_events_dropped_total", "Log events dropped because the log store could not keep up.", func() uint64 { return logStore().Dropped }),

		gauge("metrics_series", "Metrics that the CloudWatch API has, each unit of one counting.", func() float64 { return float64(s.metrics.Usage().Series) }),
		gauge("metrics_memory_bytes", "Memory that their data points take.", func() float64 { return float64(s.metrics.Usage().Bytes) }),
		gauge("metrics_disk_bytes", "Disk that they take.", func() float64 { return float64(s.metrics.Usage().DiskBytes) }),
		counter("metrics_samples_dropped_total", "Samples dropped because there was no room for another metric.", func() uint64 { return s.metrics.Usage().Refused }),

		gauge("data_dir_free_bytes", "Free disk where the data folder is.", s.freeBytes),
		gauge("ready", "1 while /readyz answers 200.", func() float64 { return up(len(s.unready()) == 0) }),
	)
}

// buildVersion is the version of the module that was built.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func up(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

func (s *Server) freeBytes() float64 {
	d, err := vfs.Default.GetDiskUsage(s.dir.path)
	if err != nil {
		return 0
	}
	return float64(d.AvailBytes)
}

// remembered reads at most twice a second, for the many readings of a scrape.
func remembered[T any](read func() T) func() T {
	var mu sync.Mutex
	var at time.Time
	var value T
	return func() T {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(at) > time.Second/2 {
			value, at = read(), time.Now()
		}
		return value
	}
}

// metricsHandler answers scrapes. On the machine itself anyone may read them, as a
// Prometheus without configuration does; others sign, or give an access key as
// name and password over TLS, and need gatehouse:Read on arn:aws:gatehouse:{region}:{account}:/metrics.
func (s *Server) metricsHandler(aws *api.Server) http.Handler {
	open := metrics.Handler(s.prometheus)
	signed := aws.Authenticated(open)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, basic := r.BasicAuth()
		switch {
		case fromThisMachine(r):
			open.ServeHTTP(w, r)
		case basic && r.TLS == nil:
			http.Error(w, "a password needs TLS", http.StatusForbidden)
		case basic:
			if err := s.mayReadMetrics(r, id, secret); err != nil {
				w.Header().Set("WWW-Authenticate", `Basic realm="gatehouse: access key ID and secret access key"`)
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			open.ServeHTTP(w, r)
		default:
			signed.ServeHTTP(w, r)
		}
	})
}

// fromThisMachine says whether a request came over the loopback interface, and not
// through a proxy there, which speaks for others.
func fromThisMachine(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	proxied := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Real-Ip") != "" || r.Header.Get("Via") != ""
	return err == nil && ip.Unmap().IsLoopback() && !proxied
}

// mayReadMetrics checks an access key given as name and password.
func (s *Server) mayReadMetrics(r *http.Request, id, secret string) error {
	refused := errors.New("the access key is not valid, or may not do gatehouse:Read on metrics")
	cred, ok, err := credentials{s.registry}.Lookup(r.Context(), id)
	if err != nil {
		return errors.New("the access key could not be looked up")
	}
	if subtle.ConstantTimeCompare([]byte(cred.SecretAccessKey), []byte(secret)) != 1 || !ok || cred.SessionToken != "" {
		return refused
	}
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	access, err := s.authorizeCaller(r.Context(), cred, from.Addr().Unmap())
	if err != nil {
		return errors.New("the policies could not be read")
	}
	resource := fmt.Sprintf("arn:%s:gatehouse:%s:%s:/metrics", s.registry.Partition(), s.cfg.Region, s.cfg.AccountID)
	if access != nil && access.DecideARN("gatehouse:Read", resource) != policy.Allow {
		return refused
	}
	return nil
}
