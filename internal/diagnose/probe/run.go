package probe

import (
	"context"
	"time"
)

// run is one walk.
type run struct {
	Options
	report Report
}

func newRun(o Options) *run {
	return &run{Options: o}
}

func (p *run) walk(ctx context.Context, progress func(string)) Report {
	began := time.Now()
	for _, stage := range Stages() {
		progress(stage)
	}
	p.report.Stopped = ctx.Err()
	p.report.Took = time.Since(began)
	return p.report
}
