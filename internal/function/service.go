package function

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/function/sandbox"
)

// DefaultConcurrency is how many executions of one function run at once unless
// PutFunctionConcurrency says otherwise, and of all functions together.
const (
	DefaultConcurrency = 10
	DefaultProcesses   = 64
)

// A Meter counts what functions do. Source: custom-auth sheet 17.
type Meter interface {
	Observe(Observation)
}

// An Observation is one invocation for the metrics of AWS/Lambda.
type Observation struct {
	Function  string
	Resource  string // "name" or "name:alias"
	Version   string // executed: "$LATEST" or a number
	Throttled bool   // then nothing ran
	Failed    bool   // Errors
	Duration  time.Duration
	Running   int // ConcurrentExecutions, this one included
}

// Config is what a Service needs. Optional fields have defaults.
type Config struct {
	DataDir   string // required: of the whole Gatehouse; functions never see it
	AccountID string // required: 12 digits
	Partition string // required: "aws"
	Region    string // required

	Logs      Log   // functions' output; nil: dropped
	Meter     Meter // may be nil
	Processes int   // of all functions at once; default DefaultProcesses
	Slog      *slog.Logger
}

// Service keeps functions and runs them. Safe for concurrent use.
type Service struct {
	cfg       Config
	partition string
	rows      *rows
	packages  *packages
	runDir    string

	mu      sync.RWMutex
	records map[string]*record // what they point to never changes; guarded by mu
	change  sync.Mutex         // one change at a time

	running   sync.Mutex
	runner    *runner        // nil until the first invocation; guarded by running
	runnerErr error          // why it can't be had; guarded by running
	closed    bool           // guarded by running
	kept      []Request      // see KeepWarm; guarded by running
	warming   sync.WaitGroup // starts of those; counted under running

	events *events
}

var _ Invoker = (*Service)(nil)

// folders in the data folder.
const (
	dataFolder = "functions"
	rowsFile   = "functions.db"
	runNote    = "run-folder" // names the folder of the last run, which a crash left behind
)

// Open reads the functions in cfg.DataDir. It starts no process before the first
// invocation, unless one was accepted by an earlier run and is not over.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.DataDir == "" || cfg.AccountID == "" || cfg.Partition == "" || cfg.Region == "" {
		return nil, errors.New("function: DataDir, AccountID, Partition and Region are required")
	}
	cfg.Processes = cmp.Or(cfg.Processes, DefaultProcesses)
	if cfg.Slog == nil {
		cfg.Slog = slog.New(slog.DiscardHandler)
	}
	dir := filepath.Join(cfg.DataDir, dataFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, partition: cfg.Partition}
	removeOldRun(dir)
	var err error
	if s.rows, err = openRows(ctx, filepath.Join(dir, rowsFile)); err != nil {
		return nil, err
	}
	if s.records, err = s.rows.all(ctx); err != nil {
		return nil, errors.Join(err, s.rows.db.Close())
	}
	s.packages = &packages{dir: dir, unpacked: map[string]unpackedCode{}}
	if err := s.packages.keepOnly(s.neededCode()); err != nil {
		return nil, errors.Join(err, s.rows.db.Close())
	}
	if s.events, err = startEvents(ctx, s); err != nil {
		return nil, errors.Join(err, s.rows.db.Close())
	}
	return s, nil
}

// Close ends all processes and lets go of the files.
func (s *Service) Close() error {
	s.events.close()
	s.running.Lock()
	s.closed = true
	r := s.runner
	s.running.Unlock()
	if r != nil {
		r.close()
		s.warming.Wait()
		os.RemoveAll(s.runDir)
		os.Remove(filepath.Join(s.packages.dir, runNote))
	}
	return s.rows.db.Close()
}

// started returns the runner, which the first call makes: a Gatehouse without
// functions starts nothing for them.
func (s *Service) started(ctx context.Context) (*runner, error) {
	s.running.Lock()
	defer s.running.Unlock()
	if s.runner != nil || s.runnerErr != nil {
		return s.runner, s.runnerErr
	}
	if s.closed {
		return nil, errors.New("the functions are stopped")
	}
	err := s.makeRunDir()
	var box *sandbox.Sandbox
	if err == nil {
		box, err = sandbox.New(context.WithoutCancel(ctx), s.runDir, s.cfg.DataDir)
	}
	if err == nil {
		err = writeBootstraps(filepath.Join(s.runDir, bootstrapFolder))
	}
	if err != nil {
		s.runnerErr = fmt.Errorf("this machine can't run functions: %w", err)
		s.cfg.Slog.LogAttrs(ctx, slog.LevelError, "functions cannot run", slog.Any("error", err))
		return nil, s.runnerErr
	}
	if missing := box.Report.Missing(); len(missing) > 0 {
		s.cfg.Slog.LogAttrs(ctx, slog.LevelWarn, "functions are less confined than they could be: run only those that you trust", slog.Any("missing", missing))
	}
	s.packages.runDir, s.packages.groupOf = s.runDir, box.GroupOf
	s.runner = newRunner(s.runDir, s.cfg.Region, box, s.cfg.Logs, s.cfg.Slog, s.cfg.Processes)
	return s.runner, nil
}

// makeRunDir makes the folder that the processes live in, outside of the data
// folder, which they must not reach, and of /tmp where that works, as that is theirs.
func (s *Service) makeRunDir() (err error) {
	for _, parent := range []string{"/var/tmp", os.TempDir()} {
		if s.runDir, err = os.MkdirTemp(parent, "gatehouse-functions-"); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(s.runDir, 0o711); err != nil { // #nosec: each folder inside is its function's
		return err
	}
	return os.WriteFile(filepath.Join(s.packages.dir, runNote), []byte(s.runDir), 0o600)
}

// removeOldRun removes what a killed Gatehouse left behind.
func removeOldRun(dir string) {
	note, err := os.ReadFile(filepath.Join(dir, runNote))
	if err != nil {
		return
	}
	old := string(note)
	if filepath.IsAbs(old) && filepath.Clean(old) == old && strings.HasPrefix(filepath.Base(old), "gatehouse-functions-") {
		if info, err := os.Lstat(old); err == nil && info.Mode().Type() == fs.ModeDir {
			os.RemoveAll(old)
		}
	}
	os.Remove(filepath.Join(dir, runNote))
}

// record finds a function.
func (s *Service) record(name string) (*record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rec, ok := s.records[name]
	return rec, ok
}

// lookup finds a function and what its qualifier means.
func (s *Service) lookup(text, qualifier string) (*record, Version, reference, error) {
	ref, err := s.parseReference(text, qualifier)
	if err != nil {
		return nil, Version{}, ref, err
	}
	rec, ok := s.record(ref.name)
	if !ok {
		return nil, Version{}, ref, s.notFound(ref)
	}
	v, ok := rec.version(ref.qualifier)
	if !ok {
		return nil, Version{}, ref, s.notFound(ref)
	}
	return rec, v, ref, nil
}

// update changes a function in one step; what fn refuses changes nothing.
func (s *Service) update(ctx context.Context, text, qualifier string, fn func(rec *record, ref reference) error) (*record, error) {
	ref, err := s.parseReference(text, qualifier)
	if err != nil {
		return nil, err
	}
	s.change.Lock()
	defer s.change.Unlock()
	old, ok := s.record(ref.name)
	if !ok {
		return nil, s.notFound(ref)
	}
	rec := old.clone()
	if err := fn(rec, ref); err != nil {
		return nil, err
	}
	if err := s.rows.put(ctx, rec); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.records[ref.name] = rec
	s.mu.Unlock()
	if old.Latest.RevisionID != rec.Latest.RevisionID {
		s.retire(old.Name, old.Latest)
	}
	s.warm()
	return rec, nil
}

// retire stops the processes of a version that was replaced or removed.
func (s *Service) retire(name string, v Version) {
	s.running.Lock()
	r := s.runner
	s.running.Unlock()
	if r != nil {
		r.retire(codeKey(name, v))
	}
}

func codeKey(name string, v Version) string { return name + ":" + v.Version + ":" + v.RevisionID }

// neededCode returns the hashes of the packages that functions have.
func (s *Service) neededCode() map[string]bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	needed := map[string]bool{}
	for _, rec := range s.records {
		needed[rec.Latest.CodeSHA256] = true
		for _, v := range rec.Versions {
			needed[v.CodeSHA256] = true
		}
	}
	return needed
}

// Invoke implements [Invoker].
func (s *Service) Invoke(ctx context.Context, req Request) (Result, error) {
	id := uuid.NewString()
	rec, v, ref, err := s.lookup(req.FunctionARN, req.Qualifier)
	if e, ok := errors.AsType[*Error](err); ok {
		return Result{Outcome: NotFound, RequestID: id, Message: e.Message}, nil
	} else if err != nil {
		return Result{}, err
	}
	var permission Permission
	if req.Caller != (Caller{}) {
		permission = s.permission(rec, ref, req.Caller)
		if !permission.Allowed {
			return Result{
				Outcome: PermissionDenied, RequestID: id, FunctionARN: s.arn(rec.Name), Permission: permission,
				Message: fmt.Sprintf("The resource policy of %s does not let %s invoke it for %s.", qualified(s.arn(rec.Name), ref.qualifier), req.Caller.Service, req.Caller.SourceARN),
			}, nil
		}
	}
	res, err := s.run(ctx, rec, v, ref, req, id)
	res.Permission = permission
	return res, err
}

func (s *Service) run(ctx context.Context, rec *record, v Version, ref reference, req Request, id string) (Result, error) {
	c, r, err := s.code(ctx, rec, v)
	if unusable, ok := errors.AsType[*notRunnableError](err); ok {
		return Result{Outcome: NotRunnable, RequestID: id, FunctionARN: s.arn(rec.Name), ExecutedVersion: v.Version, Message: unusable.Error()}, nil
	} else if err != nil {
		return Result{}, err
	}
	limit := DefaultConcurrency
	if rec.Reserved != nil {
		limit = *rec.Reserved
	}
	if len(req.Payload) == 0 {
		req.Payload = []byte("{}")
	}
	res, err := r.invoke(ctx, c, limit, req, id, qualified(c.arn, ref.qualifier))
	if err == nil {
		s.observe(rec.Name, ref, r, &res)
	}
	return res, err
}

// code makes what processes of a version are started for, and the runner that
// starts them. The error is a [notRunnableError] where this machine or the
// package is the reason.
func (s *Service) code(ctx context.Context, rec *record, v Version) (*code, *runner, error) {
	r, err := s.started(ctx)
	if err != nil {
		return nil, nil, &notRunnableError{err}
	}
	folder, err := s.packages.folder(ctx, v.CodeSHA256)
	if bad, ok := errors.AsType[*ZipError](err); ok {
		return nil, nil, &notRunnableError{bad}
	} else if err != nil {
		return nil, nil, fmt.Errorf("unpack the function %s: %w", rec.Name, err)
	}
	return &code{
		key: codeKey(rec.Name, v), name: rec.Name, version: v.Version, arn: s.arn(rec.Name), runtime: v.Runtime, handler: v.Handler,
		timeout: time.Duration(v.Timeout) * time.Second, memory: int64(v.MemorySize) << 20, environment: v.Environment,
		dir: folder.dir, group: folder.group,
	}, r, nil
}

func (s *Service) observe(name string, ref reference, r *runner, res *Result) {
	if s.cfg.Meter == nil || !res.Outcome.Ran() && res.Outcome != Throttled {
		return
	}
	resource := name
	if ref.qualifier != "" {
		resource += ":" + ref.qualifier
	}
	s.cfg.Meter.Observe(Observation{
		Function: name, Resource: resource, Version: res.ExecutedVersion, Throttled: res.Outcome == Throttled,
		Failed: res.Outcome.Ran() && res.Outcome != Succeeded, Duration: res.Duration, Running: max(1, r.executions(name)),
	})
}
