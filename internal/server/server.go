// Package server wires a running Gatehouse from its configuration, and takes it
// down again.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	apilogs "github.com/gatehouse-iot/gatehouse/internal/api/logs"
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/gateway"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/logs/devicelog"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/otlp"
	"github.com/gatehouse-iot/gatehouse/internal/pki"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// shutdownTime bounds how long a stop waits for connections to end in good order.
const shutdownTime = 5 * time.Second

// A Server is a running Gatehouse. Make one with [Start].
type Server struct {
	cfg  Config
	info RunFile

	dir        *dataDir
	doors      *doors
	ca         *pki.Authority
	registry   *registry.Registry
	attempts   *attempt.Recorder
	logs       *logs.Store
	logsAPI    *apilogs.Handlers
	deviceLog  *devicelog.Log
	observe    *observe.Hub
	metrics    *metrics.Store
	otlp       *otlp.Exporter // nil: nothing is exported
	prometheus *prometheus.Registry

	functionMeter *metrics.Functions
	logLosses     *metrics.LogLosses
	messages      messagelog.Log
	broker        *broker.Broker
	identity      *identity.Service
	functions     *function.Service
	authorizers   *identity.Authorizers
	mqtt          *mqttconn.Server
	gateway       *gateway.Server
	api           *apiServer

	opened  []func() error // gives back what was opened, in the order of opening
	stop    context.CancelFunc
	running *errgroup.Group
}

// Start opens everything that cfg names and serves until [Server.Stop]. When it
// returns, the doors are open and gatehouse.json is written. A failure leaves
// nothing running. Errors: *PortError for a port that is taken; others name the
// flag or the file at fault.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, stop: func() {}, running: &errgroup.Group{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = openDataDir(cfg.DataDir); err != nil {
		return nil, err
	}
	s.opened = append(s.opened, s.dir.close)
	if mode := s.dir.openToOthers(); mode != 0 {
		s.cfg.Log.Warn("others may write to the data folder; take that right away: chmod go-w", "data_dir", s.dir.path, "mode", mode.String())
	}
	if err := s.dir.forgetRun(); err != nil {
		return nil, err
	}
	// The ports come before the files: a port that is taken leaves no new data behind.
	if s.doors, err = openDoors(ctx, &s.cfg); err != nil {
		return nil, err
	}
	s.opened = append(s.opened, s.doors.close)
	if err := s.openState(ctx); err != nil {
		return nil, err
	}
	if err := s.wire(); err != nil {
		return nil, err
	}
	if s.info, err = s.describe(ctx); err != nil {
		return nil, err
	}
	s.exposeMetrics()
	if s.api, err = newAPIServer(s); err != nil {
		return nil, err
	}
	s.serve(context.WithoutCancel(ctx))
	if err := s.info.write(s.dir.path); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Info tells where the server listens, and its API credentials.
func (s *Server) Info() RunFile { return s.info }

// Wait serves until ctx ends or a part breaks, then stops the server.
func (s *Server) Wait(ctx context.Context) error {
	broken := make(chan error, 1)
	go func() { broken <- s.running.Wait() }()
	select {
	case <-ctx.Done():
		return s.Stop()
	case err := <-broken:
		return errors.Join(err, s.Stop())
	}
}

// Stop ends every connection in good order, then closes the files. It may be
// called once; gatehouse.json is gone when it returns.
func (s *Server) Stop() error {
	err := s.dir.forgetRun()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	// Both at once: devices that do not read what we send them cost the time of one.
	cut := make(chan error, 1)
	go func() { cut <- s.mqtt.CutAll(ctx) }()
	s.stop()
	if cutErr := <-cut; !errors.Is(cutErr, context.DeadlineExceeded) { // the gateway closes what is left
		err = errors.Join(err, cutErr)
	}
	if runErr := s.running.Wait(); !errors.Is(runErr, context.Canceled) {
		err = errors.Join(err, runErr)
	}
	return errors.Join(err, s.close())
}

// openState opens what outlives the process: the CA, the registry, the attempts.
// The first two are independent, and the first start makes keys in one of them.
func (s *Server) openState(ctx context.Context) (err error) {
	hosts := []string{s.cfg.Endpoint, "localhost", "127.0.0.1", "::1"}
	if s.cfg.Host != "127.0.0.1" && s.cfg.Host != "0.0.0.0" && s.cfg.Host != "::" {
		hosts = append(hosts, s.cfg.Host)
	}
	if s.ca, err = pki.Open(pki.Config{Dir: s.dir.file("pki"), Hosts: unique(hosts)}); err != nil {
		return fmt.Errorf("open the CA: %w", err)
	}
	config := registry.Config{
		DataDir: s.dir.path, AccountID: s.cfg.AccountID, Region: s.cfg.Region, Endpoint: s.cfg.Endpoint, Issuer: s.ca,
	}
	if s.cfg.Limits == "open" {
		config.ThingTypeDeletionWait = -1 // the tests of AWS's clients delete at once
	}
	s.registry, err = registry.Open(ctx, config)
	if err != nil {
		return explainHome(err, s.dir.path)
	}
	s.opened = append(s.opened, s.registry.Close)
	if s.logs, err = logs.Open(logs.Config{Dir: s.dir.file("logs"), Log: s.cfg.Log, Lost: s.logLost}); err != nil {
		return fmt.Errorf("open the log store: %w", err)
	}
	s.opened = append(s.opened, s.logs.Close)
	if err := s.openExport(); err != nil { // before what it exports: what they end with is exported too
		return err
	}
	if s.deviceLog, err = devicelog.Open(devicelog.Config{Registry: s.registry, Store: s.logs, Also: s.exportEntry(), Machine: s.cfg.Log}); err != nil {
		return fmt.Errorf("open the devices' log: %w", err)
	}
	s.opened = append(s.opened, s.deviceLog.Close)
	s.observe = observe.New(s.deviceLog)
	if err := s.openMetrics(); err != nil {
		return err
	}
	store, err := attempt.OpenStore(ctx, s.dir.file("attempts.db"))
	if err != nil {
		return fmt.Errorf("open the attempts: %w", err)
	}
	s.attempts = attempt.NewRecorder(attempt.Config{
		Account: s.cfg.AccountID, Partition: s.registry.Partition(), Region: s.cfg.Region, Endpoint: s.cfg.Endpoint, CAFile: s.ca.RootFile(),
		Store: store, Log: s.cfg.Log, Ended: s.attemptEnded,
	})
	s.opened = append(s.opened, s.attempts.Close)
	s.logsAPI = apilogs.New(apilogs.Config{
		Store: s.logs, Account: s.cfg.AccountID, Region: s.cfg.Region, Partition: s.registry.Partition(), Log: s.cfg.Log,
	})
	s.opened = append(s.opened, s.logsAPI.Close)
	if s.messages, err = s.openMessages(); err != nil {
		return err
	}
	s.opened = append(s.opened, s.messages.Close)
	if s.functions, err = function.Open(ctx, function.Config{
		DataDir: s.dir.path, AccountID: s.cfg.AccountID, Partition: s.registry.Partition(), Region: s.cfg.Region, Logs: functionLog{s.logs, s.cfg.Log},
		Meter: s.functionMeter, Slog: s.cfg.Log,
	}); err != nil {
		return fmt.Errorf("open the functions: %w", err)
	}
	s.opened = append(s.opened, s.functions.Close)
	s.attempts.SetPorts(portOf(s.doors.mqtt), portOf(s.doors.https), portOf(s.doors.alpn))
	return nil
}

// wire connects the parts in the order of the data's way.
func (s *Server) wire() (err error) {
	if s.identity, err = identity.New(identity.Config{
		Registry: s.registry, AccountID: s.cfg.AccountID, Region: s.cfg.Region, Log: s.cfg.Log,
	}); err != nil {
		return err
	}
	s.opened = append(s.opened, func() error { s.identity.Close(); return nil })
	functions, err := s.invoker(context.Background())
	if err != nil {
		return fmt.Errorf("--lambda-endpoint: %w", err)
	}
	if s.authorizers, err = identity.NewAuthorizers(identity.CustomConfig{
		Registry: s.registry, Identity: s.identity, Functions: functions, Cached: functions.Cached, Log: s.cfg.Log, Record: s.cfg.RecordAuthorizerEvents,
	}); err != nil {
		return err
	}
	s.keepAuthorizersWarm()
	limits, refusals := mqttconn.AWSLimits, mqttconn.AWSRefusals
	if s.cfg.Limits == "open" {
		limits = mqttconn.OpenLimits
	}
	if s.cfg.Refusals == "explain" {
		refusals = mqttconn.ExplainRefusals
	}
	if s.broker, err = s.openBroker(limits); err != nil {
		return err
	}
	s.opened = append(s.opened, func() error { s.broker.Close(); return nil })
	if s.mqtt, err = mqttconn.New(mqttconn.Config{
		Broker: s.broker, Authorize: mqttconn.FromIdentity(s.identity), Status: mqttconn.StatusFromIdentity(s.identity),
		Log: s.cfg.Log, Observe: s.observe, Limits: limits, Refusals: refusals,
	}); err != nil {
		return err
	}
	s.mqtt.PublishLostWills()
	endpoints, err := gateway.NewEndpoints(gateway.Endpoint{
		Name: "iot:Data-ATS", Host: s.cfg.Endpoint, SecurityPolicy: s.cfg.SecurityPolicy,
		CertificateRejection: gateway.Rejection(s.cfg.CertificateRejection),
	})
	if err != nil {
		return err
	}
	if err := s.followDomains(context.Background(), endpoints); err != nil {
		return err
	}
	s.gateway, err = gateway.New(gateway.Config{
		Attempts: s.attempts, Identity: s.identity, MQTT: s.mqtt, Endpoints: endpoints, Authorizers: s.authorizers,
		ServerCertificate: s.ca.ServerCertificate, Log: s.cfg.Log, ShutdownTimeout: shutdownTime,
		MaxConnections: connectionRoom(),
		Data:           devices{s}, Explain: s.cfg.Refusals == "explain",
	})
	if err != nil {
		return err
	}
	unwatch := s.registry.Watch(s.cutDeactivated)
	s.opened = append(s.opened, func() error { unwatch(); return nil })
	return nil
}

// devices lets devices' HTTPS requests to the operations of the API.
type devices struct{ s *Server }

// ServeDevice hands over to [api.Server.ServeDevice].
func (d devices) ServeDevice(w http.ResponseWriter, r *http.Request, call api.DeviceCall, finish func(api.Outcome)) {
	d.s.api.aws.ServeDevice(w, r, call, finish) // made before the doors open
}

// cutDeactivated ends the connections of a certificate that stopped being
// ACTIVE, and of a certificate or user that was deleted. AWS takes minutes for it
// (connect sheet 4.3); we do it at once.
func (s *Server) cutDeactivated(c registry.Change) {
	if c.Kind == registry.UserChanged && c.Status != "" {
		s.mqtt.Cut(c.UserID, check.UserRemoved)
	}
	if c.Kind == registry.CertificateChanged && c.Status != "ACTIVE" {
		s.mqtt.Cut(c.CertificateID, check.PrincipalCut,
			attempt.F("certificate", c.CertificateID), attempt.F("status", c.Status), attempt.F("required", "ACTIVE"))
	}
}

// serve starts what runs until the stop.
func (s *Server) serve(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.running, ctx = errgroup.WithContext(ctx)
	d := s.doors
	s.running.Go(func() error {
		return s.gateway.Run(ctx, gateway.Listeners{MQTT: d.mqtt, HTTPS: d.https, ALPN: d.alpn})
	})
	s.running.Go(func() error { return s.api.run(ctx, d.api) })
	s.running.Go(func() error {
		collect(ctx, s.connections, giveBack)
		return nil
	})
}

// connections is how many connections have come, gone and come to rest since the start, in sum, and how
// many are open.
func (s *Server) connections() (changes int64, open int) {
	st := s.gateway.Stats()
	return 2*int64(st.Accepted) - int64(st.Open) + int64(s.mqtt.Rests()), st.Open
}

// describe is the content of gatehouse.json.
func (s *Server) describe(ctx context.Context) (RunFile, error) {
	key, err := s.registry.FirstAccessKey(ctx)
	if err != nil {
		return RunFile{}, fmt.Errorf("read the access key: %w", err)
	}
	d := s.doors
	host := d.api.Addr().(*net.TCPAddr).IP
	scheme := "https"
	if s.plainAPI() {
		scheme = "http"
	}
	name := host.String()
	if host.IsUnspecified() {
		name = s.cfg.Endpoint
	}
	return RunFile{
		PID: os.Getpid(), Endpoint: s.cfg.Endpoint, AccountID: s.cfg.AccountID, Region: s.cfg.Region,
		Ports:       RunPorts{MQTT: portOf(d.mqtt), HTTPS: portOf(d.https), ALPN: portOf(d.alpn), API: portOf(d.api)},
		APIURL:      scheme + "://" + net.JoinHostPort(name, strconv.Itoa(portOf(d.api))),
		CAFile:      s.ca.RootFile(),
		AccessKeyID: key.ID, SecretAccessKey: key.Secret,
	}, nil
}

// plainAPI says whether the API port speaks HTTP without TLS: on loopback, or when asked to.
func (s *Server) plainAPI() bool {
	if s.cfg.APIPlaintext {
		return true
	}
	if s.cfg.Host == "localhost" {
		return true
	}
	ip := net.ParseIP(s.cfg.Host)
	return ip != nil && ip.IsLoopback()
}

// close gives back what was opened, the latest first.
func (s *Server) close() error {
	var errs []error
	for _, giveBack := range slices.Backward(s.opened) {
		errs = append(errs, giveBack())
	}
	s.opened = nil
	return errors.Join(errs...)
}

func unique(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, v := range list {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
