package refusals

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// leastRepaired is how many rows have to be repaired by the printed command.
const leastRepaired = 16

// TestPrintedFixRepairs takes the fix exactly as `gatehouse explain` prints it,
// runs it in a shell with the AWS CLI, and lets the device do the same again.
func TestPrintedFixRepairs(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	repaired := 0
	for i := range table {
		row := &table[i]
		if row.after == "" {
			continue
		}
		repaired++
		t.Run(row.id, func(t *testing.T) {
			t.Parallel()
			want := row.sees.v311
			if want == "" {
				want = row.sees.tls13
			}
			d, last := row.refusedAs(t, variant{tls.VersionTLS13, mqtt.V311, want})
			fix := d.printedFix(row.code)
			dir := t.TempDir()
			stdout, stderr, err := d.gw.Run(t.Context(), dir, "sh", "-c", fix)
			if err != nil {
				t.Fatalf("the fix failed: %v\n%s\n%s%s", err, fix, stdout, stderr)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("the fix left files: %v %v\n%s", files, err, fix)
			}
			time.Sleep(time.Until(last.Add(1100 * time.Millisecond))) // AWS allows a client ID one CONNECT a second
			if got := row.run(d); got != row.after {
				t.Errorf("after the repair the device sees %q, want %q; the fix was\n%s", got, row.after, fix)
			}
		})
	}
	if repaired < leastRepaired {
		t.Errorf("%d rows are repaired by their command, want at least %d", repaired, leastRepaired)
	}
}

// refusedAs makes the device of a row, lets it be refused as v says, and waits for
// the record. It returns when the refusal was over.
func (row *refusal) refusedAs(t *testing.T, v variant) (d *device, at time.Time) {
	t.Helper()
	places <- struct{}{}
	defer func() { <-places }()
	d = row.prepare(t, v)
	if got := row.run(d); got != v.want {
		t.Fatalf("before the repair the device sees %q, want %q", got, v.want)
	}
	at = time.Now()
	d.record(row.code)
	return d, at
}

// printedFix asks `gatehouse explain -o json` for the device's refusal and
// returns the command that it prints.
func (d *device) printedFix(code string) string {
	d.t.Helper()
	var got struct{ Report attempt.Report }
	raw := d.explain("-o", "json")
	d.must(json.Unmarshal([]byte(raw), &got))
	if len(got.Report.Findings) == 0 || got.Report.Findings[0].Code != code {
		d.t.Fatalf("the first finding is not %s:\n%s", code, raw)
	}
	f := got.Report.Findings[0]
	if len(f.Missing) > 0 || f.Fix == "" {
		d.t.Fatalf("the fix lacks %v: %s", f.Missing, f.Fix)
	}
	return f.Fix
}

// explain runs `gatehouse explain` for this device, which was refused.
func (d *device) explain(flags ...string) string {
	d.t.Helper()
	out, stderr, err := d.gw.Run(d.ctx(), "", "gatehouse", append(flags, "explain", "--source-ip", d.from)...)
	if code := gatehouseproc.ExitCode(err); code != 1 {
		d.t.Fatalf("explain of a refused device: exit %d, want 1\n%s%s", code, out, stderr)
	}
	return out
}

// TestFixOfTheText copies the lines below "Fix" as a person would.
func TestFixOfTheText(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	d := newDevice(t, likeAWS.start(), "text", tls.VersionTLS13, mqtt.V311)
	d.issued(true)
	d.allow("iot:Connect client/somebody-else")
	if got := d.connect(nil).String(); got != closed {
		t.Fatalf("before the repair the device sees %q, want %q", got, closed)
	}
	last := time.Now()
	d.record("authz.connect.client_id")
	text := d.explain()
	_, rest, found := strings.Cut(text, "\nFix\n")
	if !found {
		t.Fatalf("explain prints no fix:\n%s", text)
	}
	fix, _, _ := strings.Cut(rest, "\n\n")
	if stdout, stderr, err := d.gw.Run(context.Background(), t.TempDir(), "sh", "-c", fix); err != nil {
		t.Fatalf("the fix failed: %v\n%s\n%s%s", err, fix, stdout, stderr)
	}
	time.Sleep(time.Until(last.Add(1100 * time.Millisecond)))
	if got := d.connect(nil).String(); got != accepted {
		t.Errorf("after the repair the device sees %q, want %q", got, accepted)
	}
	fmt.Fprintln(t.Output(), fix)
}
