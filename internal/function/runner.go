package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/function/sandbox"
)

// How long processes are kept and waited for.
const (
	idleTime      = 5 * time.Minute        // without work, a process is stopped
	reapEvery     = 10 * time.Second       // how often that is looked at
	returningTime = 100 * time.Millisecond // for one that has answered to ask for work again, before another is started
)

// runner keeps the processes of all functions.
type runner struct {
	runDir string // scratch folders, unpacked code and bootstraps
	region string
	box    *sandbox.Sandbox
	log    Log // nil: output is dropped
	slog   *slog.Logger
	most   int // processes at once
	found  interpreters

	mu     sync.Mutex // guards what follows; taken after a process's own mu, never before
	closed bool
	slots  []int // free ones
	pools  map[string]*pool
	inUse  map[string]int // executions by function name
	all    map[*process]struct{}
	kept   map[string]bool // codes of which one idle process stays

	stop    chan struct{}
	stopped chan struct{}
}

// pool holds the processes of one code.
type pool struct {
	idle      []*process // the one used last is at the end
	returning int
	waiters   []chan *process // each gets a process, or nil: start one
	retired   bool
}

func newRunner(runDir, region string, box *sandbox.Sandbox, log Log, logger *slog.Logger, most int) *runner {
	r := &runner{
		runDir: runDir, region: region, box: box, log: log, slog: logger, most: min(most, sandbox.MaxSlots),
		found: interpreters{ownUser: box.Report.OwnUser, folders: programFolders()},
		pools: map[string]*pool{}, inUse: map[string]int{}, all: map[*process]struct{}{},
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	for slot := range r.most {
		r.slots = append(r.slots, slot)
	}
	go r.reap()
	return r
}

// close ends all processes and waits for them.
func (r *runner) close() {
	close(r.stop)
	<-r.stopped
	r.mu.Lock()
	r.closed = true
	all := slices.Collect(maps.Keys(r.all))
	r.mu.Unlock()
	for _, p := range all {
		p.kill("Gatehouse stops")
	}
	for _, p := range all {
		<-p.over
	}
	r.box.Close()
}

// reap stops processes that had no work for idleTime.
func (r *runner) reap() {
	defer close(r.stopped)
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case now := <-tick.C:
			for _, p := range r.takeIdle(func(p *process, last bool) bool {
				return now.Sub(p.idleFrom) >= idleTime && (!last || !r.kept[p.code.key])
			}) {
				p.kill("")
			}
		}
	}
}

// takeIdle takes the idle processes that match out of their pools; last is the
// one of its pool that was used last. It holds r.mu.
func (r *runner) takeIdle(match func(p *process, last bool) bool) (taken []*process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pool := range r.pools {
		if len(pool.idle) == 0 {
			continue
		}
		last := pool.idle[len(pool.idle)-1]
		pool.idle = slices.DeleteFunc(pool.idle, func(p *process) bool {
			if !match(p, p == last) {
				return false
			}
			taken = append(taken, p)
			return true
		})
	}
	return taken
}

// retire stops the processes of a code that no new invocation will use; one that
// works finishes its job.
func (r *runner) retire(key string) {
	r.mu.Lock()
	pool := r.pools[key]
	if pool == nil {
		r.mu.Unlock()
		return
	}
	pool.retired = true
	stop := pool.idle
	pool.idle = nil
	delete(r.pools, key)
	r.mu.Unlock()
	for _, p := range stop {
		p.kill("")
	}
}

func (r *runner) poolLocked(c *code) *pool {
	if r.pools[c.key] == nil {
		r.pools[c.key] = &pool{}
	}
	return r.pools[c.key]
}

// acquire returns a process for the caller alone: one that waits for work, or one
// that starts. Without one, evidence says which limit was reached.
func (r *runner) acquire(ctx context.Context, c *code, limit int) (p *process, evidence Concurrency, err error) {
	waited := false
	for {
		r.mu.Lock()
		pool := r.poolLocked(c)
		switch n := len(pool.idle); {
		case r.closed:
			r.mu.Unlock()
			return nil, evidence, errors.New("the functions are stopped")
		case n > 0 && r.inUse[c.name] < limit:
			p = pool.idle[n-1]
			pool.idle = pool.idle[:n-1]
			r.countLocked(p)
			r.mu.Unlock()
			return p, evidence, nil
		case pool.returning > len(pool.waiters) && !waited:
			ch := make(chan *process, 1)
			pool.waiters = append(pool.waiters, ch)
			r.mu.Unlock()
			waited = true
			if p = r.await(ctx, pool, ch); p == nil {
				continue
			}
			r.mu.Lock()
			inUse := r.inUse[c.name] // p among them
			r.mu.Unlock()
			if inUse > limit { // which was lowered, or other versions of the function are at work
				r.put(p)
				return nil, Concurrency{Scope: "function", InUse: inUse - 1, Limit: limit}, nil
			}
			return p, evidence, nil
		case r.inUse[c.name] >= limit:
			evidence = Concurrency{Scope: "function", InUse: r.inUse[c.name], Limit: limit}
			r.mu.Unlock()
			return nil, evidence, nil
		case len(r.slots) > 0:
			p, err = r.startLocked(c, true)
			return p, evidence, err
		}
		victim := r.oldestIdleLocked()
		busy := len(r.all)
		r.mu.Unlock()
		if victim == nil {
			return nil, Concurrency{Scope: "machine", InUse: busy, Limit: r.most}, nil
		}
		victim.kill("")
		select {
		case <-victim.over:
		case <-ctx.Done():
			return nil, evidence, ctx.Err()
		}
	}
}

// startLocked starts a process in a slot, which must be free; counted says that
// it is for an execution of its function. It unlocks r.mu.
func (r *runner) startLocked(c *code, counted bool) (*process, error) {
	slot := r.slots[len(r.slots)-1]
	r.slots = r.slots[:len(r.slots)-1]
	if counted {
		r.inUse[c.name]++
	}
	r.mu.Unlock()
	p, err := startProcess(r, c, slot)
	r.mu.Lock()
	if err != nil {
		r.slots = append(r.slots, slot)
		if counted {
			r.uncountLocked(c.name)
		}
		r.mu.Unlock()
		return nil, err
	}
	// Its end may have come already: then left and free have nothing to undo but this.
	p.counted = counted
	r.all[p] = struct{}{}
	closed := r.closed
	r.mu.Unlock()
	close(p.listed)
	if closed {
		p.kill("Gatehouse stops")
	}
	return p, nil
}

// await waits a moment for a process that is about to ask for work; nil if none came.
func (r *runner) await(ctx context.Context, pool *pool, ch chan *process) *process {
	timer := time.NewTimer(returningTime)
	defer timer.Stop()
	select {
	case p := <-ch:
		return p
	case <-timer.C:
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(pool.waiters, ch); i >= 0 {
		pool.waiters = slices.Delete(pool.waiters, i, i+1)
		return nil
	}
	return <-ch // it came at the last moment
}

func (r *runner) oldestIdleLocked() (oldest *process) {
	for _, pool := range r.pools {
		for _, p := range pool.idle {
			if oldest == nil || p.idleFrom.Before(oldest.idleFrom) {
				oldest = p
			}
		}
	}
	if oldest != nil {
		pool := r.poolLocked(oldest.code)
		pool.idle = slices.DeleteFunc(pool.idle, func(p *process) bool { return p == oldest })
	}
	return oldest
}

func (r *runner) countLocked(p *process) {
	if !p.counted {
		p.counted = true
		r.inUse[p.code.name]++
	}
}

func (r *runner) uncountLocked(name string) {
	if r.inUse[name]--; r.inUse[name] <= 0 {
		delete(r.inUse, name)
	}
}

// executions returns how many of a function's processes work, or start.
func (r *runner) executions(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inUse[name]
}

// returning notes that p has answered: it is about to ask for work.
func (r *runner) returning(p *process) {
	p.mu.Lock()
	alive := p.phase == answered || p.phase == idle
	p.mu.Unlock()
	if !alive {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if pool := r.pools[p.code.key]; pool != nil && !p.gone {
		p.isReturning = true
		pool.returning++
	}
}

// put takes back a process that waits for work.
func (r *runner) put(p *process) {
	r.mu.Lock()
	pool := r.pools[p.code.key]
	if r.closed || pool == nil || p.gone {
		r.mu.Unlock()
		p.kill("")
		return
	}
	if p.isReturning {
		p.isReturning = false
		pool.returning--
	}
	if len(pool.waiters) > 0 {
		ch := pool.waiters[0]
		pool.waiters = pool.waiters[1:]
		r.countLocked(p)
		ch <- p
		r.mu.Unlock()
		return
	}
	p.idleFrom = time.Now()
	pool.idle = append(pool.idle, p)
	if p.counted {
		p.counted = false
		r.uncountLocked(p.code.name)
	}
	r.mu.Unlock()
}

// left takes a process that ended out of its pool.
func (r *runner) left(p *process) {
	<-p.listed
	r.mu.Lock()
	defer r.mu.Unlock()
	p.gone = true
	if p.counted {
		p.counted = false
		r.uncountLocked(p.code.name)
	}
	pool := r.pools[p.code.key]
	if pool == nil {
		return
	}
	pool.idle = slices.DeleteFunc(pool.idle, func(other *process) bool { return other == p })
	if p.isReturning {
		p.isReturning = false
		r.notReturningLocked(pool)
	}
}

// notReturningLocked notes that one of the awaited processes will not come.
func (r *runner) notReturningLocked(pool *pool) {
	pool.returning--
	if len(pool.waiters) > pool.returning {
		pool.waiters[0] <- nil
		pool.waiters = pool.waiters[1:]
	}
}

// free gives back a slot when nothing of the process is left.
func (r *runner) free(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, p)
	r.slots = append(r.slots, p.slot)
}

// invoke runs c once. It fills the Result's members that the run decides.
func (r *runner) invoke(ctx context.Context, c *code, concurrency int, req Request, id, invokedARN string) (Result, error) {
	res := Result{RequestID: id, LogGroup: c.logGroup(), FunctionARN: c.arn, ExecutedVersion: c.version}
	began := time.Now()
	left := func() time.Duration {
		if req.Limit <= 0 {
			return c.timeout
		}
		return min(c.timeout, req.Limit-time.Since(began))
	}
	for {
		p, evidence, err := r.acquire(ctx, c, concurrency)
		if unusable, ok := errors.AsType[*notRunnableError](err); ok {
			res.Outcome, res.Message = NotRunnable, unusable.Error()
			return res, nil
		} else if err != nil {
			return res, err
		}
		if p == nil {
			res.Outcome, res.Concurrency = Throttled, evidence
			res.Message = fmt.Sprintf("%d executions run at once, as many as the limit of the %s allows.", evidence.InUse, evidence.Scope)
			return res, nil
		}
		res.LogStream = p.stream
		cold, err := r.awaitStart(ctx, p, began, req.Limit)
		if err != nil {
			return res, err
		}
		switch cold {
		case startTooSlow:
			res.Outcome, res.Limit, res.Waited = TimedOut, req.Limit, time.Since(began)
			res.Payload = errorJSON("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", id, req.Limit.Seconds()))
			res.Message = fmt.Sprintf("The function's process was still starting after %s.", req.Limit)
			res.readError()
			return res, nil
		case startFailed:
			failed := p.startFailure()
			res.Outcome, res.Payload, res.Log, res.Waited = failed.outcome, failed.body, p.out.last(), time.Since(began)
			res.readError()
			return res, nil
		default:
		}
		j := &job{
			id: id, payload: req.Payload, clientContext: req.ClientContext, invokedARN: invokedARN, tail: req.Tail,
			limit: left(), answered: make(chan answer, 1),
		}
		if j.limit <= 0 {
			r.put(p)
			res.Outcome, res.Limit, res.Waited = TimedOut, req.Limit, time.Since(began)
			res.Payload = errorJSON("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", id, req.Limit.Seconds()))
			res.readError()
			return res, nil
		}
		res.Waited = time.Since(began)
		done := make(chan answer, 1)
		p.mu.Lock()
		if !p.used {
			res.Init = p.initTime
		}
		p.mu.Unlock()
		if !p.dispatch(j, func(a answer) { done <- a }) {
			continue // it ended while it waited for work; another will do
		}
		select {
		case a := <-done:
			res.Outcome, res.Payload, res.Duration, res.Log = a.outcome, a.body, a.duration, a.log
			if a.outcome == TimedOut {
				res.Limit = c.timeout
				if req.Limit > 0 { // the function's start counts in it
					res.Limit = min(c.timeout, req.Limit)
				}
			}
			res.readError()
			return res, nil
		case <-ctx.Done(): // the invocation goes on; nobody waits for its answer
			return res, ctx.Err()
		}
	}
}

type startState uint8

const (
	started startState = iota
	startFailed
	startTooSlow
)

// awaitStart waits until p asks for work, for no longer than limit after began
// (0: until it does or ends). A start that takes longer goes on: the next
// invocation finds the process.
func (r *runner) awaitStart(ctx context.Context, p *process, began time.Time, limit time.Duration) (startState, error) {
	var late <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit - time.Since(began))
		defer timer.Stop()
		late = timer.C
	}
	state := started
	var err error
	select {
	case <-p.up:
		if p.isUp() {
			return started, nil
		}
		return startFailed, nil
	case <-late:
		state = startTooSlow
	case <-ctx.Done():
		err = ctx.Err()
	}
	go func() { // ends with the start, which maxInit bounds
		<-p.up
		if p.isUp() {
			r.put(p)
		}
	}()
	return state, err
}

// notRunnableError says why this machine can't run a function.
type notRunnableError struct{ reason error }

func (e *notRunnableError) Error() string { return e.reason.Error() }

// command is what starts p.
func (r *runner) command(p *process) (sandbox.Command, error) {
	c := p.code
	cmd := sandbox.Command{
		Dir: c.dir, Slot: p.slot, CodeGroup: c.group, Scratch: p.scratch, MostBytes: uint64(c.memory + memoryBackstop),
		Readable: []string{c.dir},
	}
	bootstraps := filepath.Join(r.runDir, bootstrapFolder)
	switch lang := languageOf(c.runtime); lang {
	case provided:
		cmd.Path = filepath.Join(c.dir, "bootstrap")
		info, err := os.Stat(cmd.Path)
		if err != nil || info.IsDir() {
			return cmd, &notRunnableError{errors.New("the deployment package holds no file \"bootstrap\" at its root, which the runtime " + c.runtime + " starts")}
		}
		if info.Mode().Perm()&0o100 == 0 {
			return cmd, &notRunnableError{errors.New("the file \"bootstrap\" of the deployment package is not executable: chmod +x bootstrap before it is zipped")}
		}
		cmd.Args = []string{cmd.Path}
	case node, python:
		i, err := r.found.find(context.Background(), c.runtime)
		if err != nil {
			return cmd, &notRunnableError{err}
		}
		cmd.Path = i.path
		cmd.Readable = append(append(cmd.Readable, bootstraps), i.readable...)
		if lang == node {
			cmd.Args = []string{"node", filepath.Join(bootstraps, nodeBootstrap)}
		} else {
			cmd.Args = []string{"python3", "-u", filepath.Join(bootstraps, pythonBootstrap)}
		}
	default:
		return cmd, &notRunnableError{fmt.Errorf("the runtime %s is not built: %w", c.runtime, errUnknownRuntime)}
	}
	cmd.Env = r.environment(p, bootstraps)
	return cmd, nil
}

const bootstrapFolder = "runtime"

// environment is all that the process gets of it: what Lambda documents, and what
// the function's configuration says. Source: custom-auth sheet 16.2.
func (r *runner) environment(p *process, bootstraps string) []string {
	c := p.code
	env := map[string]string{}
	maps.Copy(env, c.environment)
	maps.Copy(env, map[string]string{
		"AWS_LAMBDA_RUNTIME_API": p.api.host, "_HANDLER": c.handler, "LAMBDA_TASK_ROOT": c.dir, "LAMBDA_RUNTIME_DIR": bootstraps,
		"AWS_LAMBDA_FUNCTION_NAME": c.name, "AWS_LAMBDA_FUNCTION_VERSION": c.version, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": fmt.Sprint(c.memory >> 20),
		"AWS_LAMBDA_LOG_GROUP_NAME": c.logGroup(), "AWS_LAMBDA_LOG_STREAM_NAME": p.stream,
		"AWS_REGION": r.region, "AWS_DEFAULT_REGION": r.region, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
	})
	for k, v := range map[string]string{ // these a function may set
		"TZ": ":UTC", "LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": p.scratch, "HOME": p.scratch,
		"NODE_PATH": c.dir + "/node_modules:" + c.dir, "PYTHONPATH": c.dir, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8",
	} {
		if _, set := env[k]; !set {
			env[k] = v
		}
	}
	if lang := languageOf(c.runtime); lang != provided {
		env["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + c.runtime
	}
	out := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

// readError fills the members that the error JSON tells.
func (r *Result) readError() {
	if r.Outcome == Succeeded {
		return
	}
	r.ErrorType, r.ErrorMessage = readError(r.Payload)
	if r.Message == "" {
		r.Message = r.ErrorMessage
	}
}

func readError(body []byte) (kind, message string) {
	var e struct{ ErrorType, ErrorMessage any }
	if json.Unmarshal(body, &e) != nil {
		return "", ""
	}
	kind, _ = e.ErrorType.(string)
	message, _ = e.ErrorMessage.(string)
	return short(kind), short(message)
}
