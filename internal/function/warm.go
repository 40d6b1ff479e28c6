package function

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// KeepWarm has one process of each function ready at any time, and replaces what
// an earlier call asked for: the device that connects first must not wait for a
// start. A function is left out while the request's caller may not invoke it,
// and when half of the machine's places are taken. It returns at once.
// Source: custom-auth sheet 16.6.
func (s *Service) KeepWarm(requests []Request) {
	s.running.Lock()
	s.kept = slices.Clone(requests)
	s.running.Unlock()
	s.warm()
}

// warm starts what KeepWarm asked for and is not there.
func (s *Service) warm() {
	s.running.Lock()
	defer s.running.Unlock()
	kept := s.kept
	if s.closed || len(kept) == 0 && s.runner == nil {
		return
	}
	s.warming.Go(func() {
		ctx := context.Background()
		keys := map[string]bool{}
		var codes []*code
		for _, req := range kept {
			rec, v, ref, err := s.lookup(req.FunctionARN, req.Qualifier)
			if err != nil || keys[codeKey(rec.Name, v)] || !s.permission(rec, ref, req.Caller).Allowed {
				continue
			}
			c, _, err := s.code(ctx, rec, v)
			if err != nil {
				s.cfg.Slog.LogAttrs(ctx, slog.LevelWarn, "a function cannot be kept warm", slog.String("function", rec.Name), slog.Any("error", err))
				continue
			}
			keys[c.key], codes = true, append(codes, c)
		}
		r := s.present()
		if r == nil {
			return
		}
		r.keepWarm(keys)
		for _, c := range codes {
			r.warm(c)
		}
	})
}

// present returns the runner if there is one.
func (s *Service) present() *runner {
	s.running.Lock()
	defer s.running.Unlock()
	return s.runner
}

// keepWarm names the codes of which one idle process is not stopped.
func (r *runner) keepWarm(keys map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = keys
}

// warm starts a process of c unless there is one, and waits for it. Meanwhile it
// counts as one that is about to ask for work, and not as an execution.
func (r *runner) warm(c *code) {
	r.mu.Lock()
	pool := r.poolLocked(c)
	if r.closed || len(pool.idle)+pool.returning > 0 || len(r.slots) <= r.most/2 {
		r.mu.Unlock()
		return
	}
	pool.returning++
	p, err := r.startLocked(c, false)
	r.mu.Lock()
	if err == nil && !p.gone {
		p.isReturning = true
	} else {
		r.notReturningLocked(pool)
	}
	r.mu.Unlock()
	if err != nil {
		return // the first invocation says why
	}
	if state, _ := r.awaitStart(context.Background(), p, time.Now(), 0); state == started {
		r.put(p)
	}
}
