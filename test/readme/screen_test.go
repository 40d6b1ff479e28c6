package readme

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// screens are the pictures of docs/screens: what a terminal of 80 columns shows after a command.
var screens = []struct{ file, command string }{
	{"diagnose-refused.svg", "gatehouse diagnose --from certs/ --client-id pump-7"},
	{"diagnose-works.svg", "gatehouse diagnose --from certs/ --client-id sensor-1 --publish sensors/sensor-1/temp"},
	{"explain-text.svg", `gatehouse explain "Error: The connection was lost. (mosquitto_pub, exit code 7)"`},
}

// TestScreens runs the commands in a real terminal and holds the words of each picture against what
// is on the screen at the end. What differs from run to run does not count: see masked.
func TestScreens(t *testing.T) {
	gatehouseproc.Need(t, "script")
	names := startForPerson(t)
	if _, stderr, err := names.gw.Run(t.Context(), names.folder, "gatehouse", "device", "add", "sensor-1", "--out", "certs/"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	for _, s := range screens {
		t.Run(s.file, func(t *testing.T) {
			path := filepath.Join("../../docs/screens", s.file)
			var sc screen
			sc.print("\x1b[1m$ " + s.command + "\x1b[0m\r\n")
			sc.print(names.outside(inTerminal(t, names.gw, names.folder, names.inside(s.command))))
			shown, err := os.ReadFile(path)
			if err != nil && !golden.Update() {
				t.Fatal(err)
			}
			diff := cmp.Diff(masked(wordsOf(string(shown))), masked(wordsOf(sc.svg())))
			switch {
			case diff == "":
			case golden.Update():
				if err := os.WriteFile(path, []byte(sc.svg()), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s shows something else than the terminal (go test ./test/readme -update writes it):\n%s", path, diff)
			}
			if !strings.Contains(sc.svg(), "<tspan") {
				t.Error("the terminal shows no colour")
			}
		})
	}
}

const columns = 80

// inTerminal returns what a command writes to a terminal, control sequences and all.
func inTerminal(t *testing.T, gw *gatehouseproc.Process, folder, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "-qec", fmt.Sprintf("stty cols %d rows 50; %s", columns, command), os.DevNull)
	cmd.Dir = folder
	cmd.Env = slices.DeleteFunc(append(gw.Environ(), "PATH="+os.Getenv("PATH"), "TERM=xterm-256color"), func(kv string) bool {
		return strings.HasPrefix(kv, "NO_COLOR=") || strings.HasPrefix(kv, "CI=")
	})
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s does not end: %v\n%s", command, err, out)
	}
	return string(out)
}

// A screen is the end of what a terminal showed: as much of one as our commands use.
type screen struct {
	lines []line
	at    int // column of the last line
	style string
}

type line struct {
	cells     []cell
	continues bool // the line above, which was full
}

type cell struct {
	r     rune
	style string // a class of the picture; empty: plain
}

var control = regexp.MustCompile(`^\x1b\[([\d;]*)([A-Za-z])`)

// styles are the classes of the SGR codes that our commands use.
var styles = map[int]string{1: "b", 2: "d", 31: "r", 32: "g", 33: "y", 34: "c", 35: "c", 36: "c"}

func (s *screen) print(text string) {
	if len(s.lines) == 0 {
		s.lines = []line{{}}
	}
	for text != "" {
		if m := control.FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			s.control(m[1], m[2])
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch {
		case r == '\n':
			s.lines, s.at = append(s.lines, line{}), 0
		case r == '\r':
			s.at = 0
		case r >= ' ':
			if s.at == columns {
				s.lines, s.at = append(s.lines, line{continues: true}), 0
			}
			last := &s.lines[len(s.lines)-1]
			for len(last.cells) <= s.at {
				last.cells = append(last.cells, cell{r: ' '})
			}
			last.cells[s.at] = cell{r, s.style}
			s.at++
		}
	}
}

func (s *screen) control(args, command string) {
	switch command {
	case "K": // the rest of the line
		if last := &s.lines[len(s.lines)-1]; len(last.cells) > s.at {
			last.cells = last.cells[:s.at]
		}
	case "m":
		s.style = ""
		for arg := range strings.SplitSeq(args, ";") {
			if code, _ := strconv.Atoi(arg); styles[code] != "" {
				s.style = strings.TrimSpace(s.style + " " + styles[code])
			}
		}
	}
}

// svg draws the screen.
func (s *screen) svg() string {
	const width, height, left, top = 7.8, 17.0, 14.0, 24.0
	lines := s.lines
	for len(lines) > 0 && len(lines[len(lines)-1].cells) == 0 {
		lines = lines[:len(lines)-1]
	}
	var b strings.Builder
	w, h := 2*left+columns*width, 2*top+float64(len(lines)-1)*height
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n", w, h, w, h)
	b.WriteString(`<style>text{font:13px "DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#d8dee9;white-space:pre}` +
		`.b{font-weight:bold}.d{fill:#8a93a5}.r{fill:#ff6b6b}.g{fill:#7fd88f}.y{fill:#f2c96d}.c{fill:#7cc7e8}</style>` + "\n")
	b.WriteString(`<rect width="100%" height="100%" rx="6" fill="#1b1f27"/>` + "\n")
	for i, l := range lines {
		id := ""
		if l.continues {
			id = continued
		}
		cells := l.cells
		fmt.Fprintf(&b, `<text%s x="%.0f" y="%.0f" textLength="%.1f" xml:space="preserve">`, id, left, top+float64(i)*height, float64(len(cells))*width)
		for len(cells) > 0 {
			n := slices.IndexFunc(cells, func(c cell) bool { return c.style != cells[0].style })
			if n < 0 {
				n = len(cells)
			}
			var run strings.Builder
			for _, c := range cells[:n] {
				run.WriteRune(c.r)
			}
			if style := cells[0].style; style != "" {
				fmt.Fprintf(&b, `<tspan class="%s">%s</tspan>`, style, html.EscapeString(run.String()))
			} else {
				b.WriteString(html.EscapeString(run.String()))
			}
			cells = cells[n:]
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// continued is the attribute of a line that goes on with the one above.
const continued = ` data-continues="true"`

var tag = regexp.MustCompile(`(?s)<style>.*</style>|<[^>]*>`)

// wordsOf returns the text of a picture, as it was before the terminal wrapped it.
func wordsOf(svg string) string {
	svg = strings.ReplaceAll(svg, "\n<text"+continued, "<text")
	return html.UnescapeString(tag.ReplaceAllString(svg, ""))
}
