package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/api/iot"
	"github.com/gatehouse-iot/gatehouse/internal/api/iotdata"
	"github.com/gatehouse-iot/gatehouse/internal/api/lambda"
	"github.com/gatehouse-iot/gatehouse/internal/api/monitoring"
	"github.com/gatehouse-iot/gatehouse/internal/api/sts"
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

// About is the answer of GET /gatehouse/v1/server: what a client elsewhere needs
// to know of this Gatehouse. No secrets.
type About struct {
	Endpoint  string   `json:"endpoint"`
	AccountID string   `json:"accountId"`
	Region    string   `json:"region"`
	Ports     RunPorts `json:"ports"`
	CAPEM     string   `json:"caPem"` // root CA that devices must trust
}

// apiServer is the API port: the AWS APIs, /gatehouse/v1/ and the health paths.
type apiServer struct {
	http *http.Server
	aws  *api.Server
	tls  *tls.Config // nil: plain HTTP
}

// Bounds of the API port, so that no client can hold a connection for nothing,
// and none can hold all descriptors.
const (
	maxAPIConnections = 512

	apiHeaderTime = 10 * time.Second
	apiReadTime   = 60 * time.Second
	apiWriteTime  = 2 * time.Minute // from the end of the header: the body, the work and the answer
	apiIdleTime   = 2 * time.Minute
)

func newAPIServer(s *Server) (*apiServer, error) {
	extra := map[string]http.Handler{}
	aws, err := api.NewServer(api.Config{
		Services: []*api.Service{
			iot.New(iot.Handlers{Registry: s.registry, Authorizers: s.authorizers, Connections: s.mqtt}),
			iotdata.New(iotdata.Handlers{Publisher: s.mqtt, Connections: s.mqtt, Retained: s.mqtt, Observe: s.observe}),
			sts.New(),
			s.logsAPI.Service(),
			lambda.New(lambda.Handlers{Functions: s.functions}),
			monitoring.New(monitoring.Handlers{Store: s.metrics, Now: time.Now}),
		},
		Credentials: credentials{s.registry}, Authorize: s.authorizeCaller, Attempts: s.attempts, Region: s.cfg.Region, Extra: extra, Log: s.cfg.Log,
		Answered:    metrics.NewRequests(s.prometheus).Answered,
		TokenSecret: []byte(s.info.SecretAccessKey), // so that page tokens outlive a restart
	})
	if err != nil {
		return nil, err
	}
	about := About{
		Endpoint: s.info.Endpoint, AccountID: s.info.AccountID, Region: s.info.Region, Ports: s.info.Ports, CAPEM: string(s.ca.RootPEM()),
	}
	extra["/healthz"] = http.HandlerFunc(healthy)
	extra["/readyz"] = http.HandlerFunc(s.ready)
	extra[MetricsPath] = s.metricsHandler(aws)
	extra["/gatehouse/v1/server"] = aws.Authenticated(s.answer(func(*http.Request) (any, error) { return about, nil }))
	attempts := aws.Authenticated(s.attempts.Handler())
	extra[attempt.Path], extra[attempt.Path+"/"] = attempts, attempts

	users := aws.Authenticated(s.answer(s.users))
	extra[UsersPath], extra[UsersPath+"/"] = users, users
	extra[HeapPath] = aws.Authenticated(http.HandlerFunc(s.heap))
	extra[LogLevelsPath] = aws.Authenticated(s.answer(s.logLevels))
	extra[ServerCertificatesPath] = aws.Authenticated(s.answer(s.importCertificate))
	extra[AuthorizerEventsPath] = aws.Permitted(readAuthorizerEvents, s.answer(s.authorizerEvent))

	server := &http.Server{
		Handler: aws, ReadHeaderTimeout: apiHeaderTime, ReadTimeout: apiReadTime, WriteTimeout: apiWriteTime, IdleTimeout: apiIdleTime,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.logsAPI.EndTails)
	a := &apiServer{http: server, aws: aws}
	if !s.plainAPI() {
		a.tls = &tls.Config{GetCertificate: s.ca.ServerCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	return a, nil
}

// run serves ln until ctx ends, then lets requests under way finish.
func (a *apiServer) run(ctx context.Context, ln net.Listener) error {
	if a.tls != nil {
		ln = tls.NewListener(ln, a.tls)
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		stopped <- a.http.Shutdown(wait)
	}()
	if err := a.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
