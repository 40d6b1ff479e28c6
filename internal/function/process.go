package function

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/function/sandbox"
)

// A job is one invocation on its way through a process.
type job struct {
	id            string
	payload       []byte
	clientContext []byte
	invokedARN    string
	tail          bool
	limit         time.Duration // from the dispatch to the answer
	deadline      time.Time     // set at the dispatch

	answered chan answer // one
}

// answer is what came of a job.
type answer struct {
	outcome  Outcome
	body     []byte
	duration time.Duration
	log      []byte
}

type phase uint8

const (
	starting phase = iota // has not asked for work yet
	idle                  // waits for work
	busy                  // has a job
	answered              // has answered it and not asked for more
	ended
)

// process is one running copy of a function. It has one job at a time.
type process struct {
	r       *runner
	code    *code
	slot    int
	scratch string
	stream  string // name of its log stream
	began   time.Time
	box     *sandbox.Process
	api     *runtimeAPI
	out     *output
	jobs    chan *job      // to the runtime that waits for work; holds one
	up      chan struct{}  // closed when the start is over, well or not
	over    chan struct{}  // closed when the process has ended and everything is tidy
	watch   chan struct{}  // closed when the process has ended
	listed  chan struct{}  // closed when the runner knows the process
	work    sync.WaitGroup // jobs that somebody attends

	mu       sync.Mutex
	phase    phase
	job      *job      // of phase busy
	deadline time.Time // of the last job
	used     bool      // it had a job
	finished bool      // the last job's log is complete
	initTime time.Duration
	initBody []byte // error JSON of a start that failed
	reason   string // why we killed it
	outOfMem bool
	peak     int64  // bytes of resident memory at most
	how      string // it ended: "exit status 1"

	// Guarded by r.mu.
	gone        bool      // it ended
	counted     bool      // among the executions of its function
	isReturning bool      // it has answered and will ask for work soon
	idleFrom    time.Time // since when it is in its pool
}

// maxInit is how long a start may take. Source: custom-auth sheet 16.6.
const maxInit = 10 * time.Second

// How often a process's memory and children are looked at.
const (
	watchBusy = 50 * time.Millisecond
	watchIdle = time.Second
)

// memoryBackstop is how far beyond its memory size the kernel lets a process
// get before we see it: interpreters reserve much that they never touch.
const memoryBackstop = 2 << 30

// startProcess starts a copy of c in a slot that the caller took.
func startProcess(r *runner, c *code, slot int) (_ *process, err error) {
	p := &process{
		r: r, code: c, slot: slot, began: time.Now(), scratch: filepath.Join(r.runDir, fmt.Sprintf("scratch-%d", slot)),
		jobs: make(chan *job, 1), up: make(chan struct{}), over: make(chan struct{}), watch: make(chan struct{}), listed: make(chan struct{}),
	}
	var undo []func()
	defer func() {
		if err != nil {
			for _, step := range slices.Backward(undo) {
				step()
			}
		}
	}()
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	p.stream = fmt.Sprintf("%s/[%s]%s", p.began.UTC().Format("2006/01/02"), c.version, hex.EncodeToString(random))
	if err := os.RemoveAll(p.scratch); err != nil {
		return nil, err
	}
	if err := os.Mkdir(p.scratch, 0o700); err != nil {
		return nil, err
	}
	undo = append(undo, func() { os.RemoveAll(p.scratch) })
	if err := os.Chown(p.scratch, r.box.UserOf(slot), r.box.GroupOf(slot)); err != nil {
		return nil, err
	}
	if p.api, err = serveRuntimeAPI(p); err != nil {
		return nil, err
	}
	undo = append(undo, p.api.close)
	cmd, err := r.command(p)
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	var stream LogStream
	if r.log != nil {
		if stream, err = r.log.NewStream(c.logGroup(), p.stream); err != nil {
			read.Close()
			return nil, fmt.Errorf("open the log stream %s of %s: %w", p.stream, c.logGroup(), err)
		}
	}
	p.out = newOutput(read, stream)
	undo = append(undo, p.out.close)
	cmd.Stdout, cmd.Stderr = write, write
	if p.box, err = r.box.Start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go p.guard()
	go p.end()
	return p, nil
}

// guard watches the process's memory and children, and the time of its start.
func (p *process) guard() {
	tick := time.NewTimer(watchBusy)
	defer tick.Stop()
	for {
		select {
		case <-p.watch:
			return
		case <-tick.C:
		}
		held, processes := p.box.Usage()
		p.mu.Lock()
		p.peak = max(p.peak, held)
		now := p.phase
		late := now == starting && time.Since(p.began) > maxInit
		stuck := now == answered && time.Now().After(p.deadline)
		p.outOfMem = p.outOfMem || held > p.code.memory
		full := p.outOfMem
		p.mu.Unlock()
		switch {
		case full:
			p.kill("it used more than its memory size")
		case processes > sandbox.MaxProcesses:
			p.kill(fmt.Sprintf("it has more than %d processes", sandbox.MaxProcesses))
		case stuck:
			p.kill("it answered but asked for no more work until the deadline")
		case late:
			p.kill(fmt.Sprintf("its init phase took more than %s", maxInit))
		}
		if now == idle {
			tick.Reset(watchIdle)
		} else {
			tick.Reset(watchBusy)
		}
	}
}

// end waits for the process and tidies up.
func (p *process) end() {
	how, err := p.box.Wait()
	if err != nil {
		how = err.Error()
	}
	close(p.watch)
	p.mu.Lock()
	was, j := p.phase, p.job
	p.phase, p.how, p.job = ended, how, nil
	reason, outOfMem := p.reason, p.outOfMem
	took := time.Since(p.began)
	p.mu.Unlock()
	p.out.settle()
	if reason != "" {
		p.out.note("gatehouse: the process was ended: " + reason)
	}
	if was == starting {
		p.out.note(fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: init\tStatus: error\tError Type: %s", ms(took), p.startFailure().kind()))
		close(p.up)
	}
	if j != nil {
		outcome := Exited
		if outOfMem {
			outcome = OutOfMemory
		}
		j.answered <- answer{outcome: outcome, body: exitError(j.id, how)}
	}
	p.api.close()
	p.r.left(p)
	p.work.Wait() // whoever runs the job still writes to the log
	p.out.close()
	os.RemoveAll(p.scratch)
	p.r.free(p)
	close(p.over)
}

// exitError is what Lambda answers for a process that ended early.
func exitError(id, how string) []byte {
	return errorJSON("Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: Runtime exited with error: %s", id, how))
}

// startFailure is why the process did not start.
func (p *process) startFailure() answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.initBody != nil:
		return answer{outcome: InitFailed, body: p.initBody}
	case p.outOfMem:
		return answer{outcome: OutOfMemory, body: errorJSON("Runtime.ExitError", "Runtime exited with error: "+p.how)}
	}
	return answer{outcome: InitFailed, body: errorJSON("Runtime.ExitError", "Runtime exited with error: "+p.how)}
}

// isUp reports whether the process waits for work, and still lives.
func (p *process) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase == idle
}

// kill ends the process; reason is for its log, and may be empty. Only the first
// reason counts.
func (p *process) kill(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase == ended {
		return
	}
	if p.reason == "" {
		p.reason = reason
	}
	p.box.Kill()
}

// ready notes that the runtime asks for work.
func (p *process) ready() error {
	p.mu.Lock()
	was := p.phase
	switch was {
	case starting:
		p.initTime = time.Since(p.began)
		p.phase = idle
		close(p.up)
	case answered:
		p.phase = idle
	default:
	}
	back := was == answered && p.finished
	p.mu.Unlock()
	if was != starting && was != answered {
		return errors.New("the runtime asked for work while it had some, or asked twice at once")
	}
	if back {
		p.r.put(p)
	}
	return nil
}

// initFailed notes why the start failed and ends the process; false if the start is over.
func (p *process) initFailed(body []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != starting {
		return false
	}
	p.initBody = body
	p.box.Kill()
	return true
}

// problem is why the Runtime API refuses a call.
type problem struct {
	status        int
	kind, message string
}

// expecting returns the job that the runtime may answer as id.
func (p *process) expecting(id string) (*job, *problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.phase != busy || p.job == nil:
		return nil, &problem{http.StatusForbidden, "InvalidStateTransition", "no invocation waits for an answer"}
	case p.job.id != id:
		return nil, &problem{http.StatusBadRequest, "InvalidRequestID", "the invocation under way is another than " + short(id)}
	}
	return p.job, nil
}

// finish takes the answer of j; false if it has one, or came too late.
func (p *process) finish(j *job, ans answer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.job != j {
		return false
	}
	p.job, p.phase = nil, answered
	j.answered <- ans
	return true
}

// dispatch gives the process, which is idle and the caller's, a job. It answers
// false if the process ended meanwhile; otherwise done gets what came of it.
func (p *process) dispatch(j *job, done func(answer)) bool {
	p.mu.Lock()
	if p.phase != idle {
		p.mu.Unlock()
		return false
	}
	p.phase, p.job, p.finished = busy, j, false
	p.work.Add(1)
	first := !p.used
	p.used = true
	p.out.begin(fmt.Sprintf("START RequestId: %s Version: %s", j.id, p.code.version), first)
	j.deadline = time.Now().Add(j.limit)
	p.deadline = j.deadline
	p.jobs <- j // there is room: the one before was taken
	p.mu.Unlock()
	go p.attend(j, first, done)
	return true
}

// attend waits for the answer of j until its deadline, passes it on, and ends the
// invocation's log.
func (p *process) attend(j *job, first bool, done func(answer)) {
	defer p.work.Done()
	began := time.Now()
	timer := time.NewTimer(time.Until(j.deadline))
	defer timer.Stop()
	var ans answer
	select {
	case ans = <-j.answered:
	case <-timer.C:
		p.mu.Lock()
		late := p.job == j
		if late {
			p.job = nil
		}
		p.mu.Unlock()
		if !late {
			ans = <-j.answered
			break
		}
		text := fmt.Sprintf("%s %s Task timed out after %.2f seconds", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), j.id, j.limit.Seconds())
		ans = answer{outcome: TimedOut, body: errorJSON("Sandbox.Timedout", text)}
		p.kill("")
		p.out.settle()
		p.out.note(text)
	}
	ans.duration = time.Since(began)
	p.r.returning(p)
	if !j.tail {
		done(ans)
	}
	p.out.settle()
	p.report(j, ans, first)
	if j.tail {
		ans.log = p.out.last()
		done(ans)
	}
	p.out.room()
	p.mu.Lock()
	p.finished = true
	back := p.phase == idle
	p.mu.Unlock()
	if back {
		p.r.put(p)
	}
}

// report writes the lines that end an invocation's log. Source: custom-auth sheet 15.
func (p *process) report(j *job, ans answer, first bool) {
	p.mu.Lock()
	peak, initTime := p.peak, p.initTime
	p.mu.Unlock()
	if peak == 0 {
		peak, _ = p.box.Usage()
	}
	line := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB",
		j.id, ms(ans.duration), int64(math.Ceil(ms(ans.duration))), p.code.memory>>20, min(peak, p.code.memory)>>20)
	if first {
		line += fmt.Sprintf("\tInit Duration: %.2f ms", ms(initTime))
	}
	switch ans.outcome {
	case Succeeded:
	case TimedOut:
		line += "\tStatus: timeout"
	default:
		line += "\tStatus: error\tError Type: " + ans.kind()
	}
	p.out.note("END RequestId: " + j.id)
	p.out.note(line)
}

// kind is the error type in the answer's error JSON.
func (a answer) kind() string { kind, _ := readError(a.body); return kind }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
