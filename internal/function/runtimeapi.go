package function

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of the Runtime API. Source: custom-auth sheet 15, 16.1; AWS Lambda quotas.
const (
	maxResponse    = 6*1024*1024 + 100 // bytes, as AWS counts 6 MB
	maxConnections = 16                // of one process to its own API
)

// runtimeAPI serves the Lambda Runtime API to one process, on a loopback port
// of its own and below a path that only it knows. Source: custom-auth sheet 16.1.
type runtimeAPI struct {
	p      *process
	server *http.Server
	done   chan struct{}
	host   string // host:port/secret: AWS_LAMBDA_RUNTIME_API
	base   string // "/secret/2018-06-01/runtime/"
}

// serveRuntimeAPI opens the port.
func serveRuntimeAPI(p *process) (*runtimeAPI, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // a loopback port opens at once
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	path := hex.EncodeToString(secret)
	a := &runtimeAPI{p: p, done: make(chan struct{}), host: ln.Addr().String() + "/" + path, base: "/" + path + "/2018-06-01/runtime/"}
	a.server = &http.Server{
		Handler: a, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // the function's doing, and endless if it likes
	}
	go func() {
		defer close(a.done)
		_ = a.server.Serve(&fewConns{Listener: ln}) // ends with close
	}()
	return a, nil
}

func (a *runtimeAPI) close() {
	a.server.Close()
	<-a.done
}

// ServeHTTP answers one call of the runtime.
func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ours := strings.CutPrefix(r.URL.Path, a.base)
	if !ours {
		refuse(w, http.StatusForbidden, "Runtime.Forbidden", "this is another process's Runtime API")
		return
	}
	id, what := "", rest
	if tail, ok := strings.CutPrefix(rest, "invocation/"); ok && tail != "next" {
		id, what, _ = strings.Cut(tail, "/")
	}
	switch {
	case rest == "invocation/next" && r.Method == http.MethodGet:
		a.next(w, r)
	case rest == "init/error" && r.Method == http.MethodPost:
		a.initError(w, r)
	case id != "" && what == "response" && r.Method == http.MethodPost:
		a.answer(w, r, id, false)
	case id != "" && what == "error" && r.Method == http.MethodPost:
		a.answer(w, r, id, true)
	default:
		refuse(w, http.StatusNotFound, "Runtime.UnknownCall", "the Runtime API 2018-06-01 has no "+r.Method+" "+short(rest))
	}
}

// next hands out the next invocation; it waits for as long as it takes.
func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	if err := a.p.ready(); err != nil {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", err.Error())
		return
	}
	var j *job
	select {
	case j = <-a.p.jobs:
	case <-r.Context().Done(): // it hung up on us: it will take no more work
		a.p.kill("the runtime closed the connection on which it waited for work")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", j.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(j.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", j.invokedARN)
	h.Set("Lambda-Runtime-Trace-Id", traceID(j))
	if len(j.clientContext) > 0 {
		h.Set("Lambda-Runtime-Client-Context", string(j.clientContext))
	}
	h.Set("Content-Length", strconv.Itoa(len(j.payload)))
	_, _ = w.Write(j.payload) // a process that is gone is noticed by its end
}

// traceID is the X-Ray header of an invocation that is not sampled.
func traceID(j *job) string {
	hexID := strings.ReplaceAll(j.id, "-", "")
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", j.deadline.Unix(), hexID[:24], hexID[16:])
}

// answer takes the result of the invocation id.
func (a *runtimeAPI) answer(w http.ResponseWriter, r *http.Request, id string, failed bool) {
	j, problem := a.p.expecting(id)
	if problem != nil {
		refuse(w, problem.status, problem.kind, problem.message)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		message := fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)
		a.p.finish(j, answer{outcome: ResponseTooLarge, body: errorJSON("Function.ResponseSizeTooLarge", message)})
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", message)
		return
	} else if err != nil {
		return // its connection broke: it may try again
	}
	ans := answer{outcome: Succeeded, body: body}
	if failed {
		ans.outcome = HandlerFailed
		if len(body) == 0 || !json.Valid(body) {
			ans.body = errorJSON(headerWord(r), "")
		}
	}
	if !a.p.finish(j, ans) {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "the invocation "+short(id)+" has its answer already")
		return
	}
	accept(w)
}

// initError takes why the start failed; the process is expected to end.
func (a *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLine))
	if err != nil || !json.Valid(body) {
		body = errorJSON(headerWord(r), "")
	}
	if !a.p.initFailed(body) {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the init phase is over")
		return
	}
	accept(w)
}

func headerWord(r *http.Request) string {
	return short(r.Header.Get("Lambda-Runtime-Function-Error-Type"))
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorJSON(kind, message))
}

// errorJSON is the error object of the Runtime API.
func errorJSON(kind, message string) []byte {
	text, err := json.Marshal(struct {
		ErrorType    string `json:"errorType,omitempty"`
		ErrorMessage string `json:"errorMessage"`
	}{kind, message})
	if err != nil {
		return []byte(`{"errorMessage":""}`)
	}
	return text
}

// fewConns is a listener that closes connections beyond maxConnections.
type fewConns struct {
	net.Listener
	mu   sync.Mutex
	open int // guarded by mu
}

// Accept implements [net.Listener].
func (l *fewConns) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		room := l.open < maxConnections
		if room {
			l.open++
		}
		l.mu.Unlock()
		if room {
			return &countedConn{Conn: nc, l: l}, nil
		}
		nc.Close()
	}
}

type countedConn struct {
	net.Conn
	l    *fewConns
	once sync.Once
}

// Close implements [net.Conn].
func (c *countedConn) Close() error {
	c.once.Do(func() { c.l.mu.Lock(); c.l.open--; c.l.mu.Unlock() })
	return c.Conn.Close()
}
