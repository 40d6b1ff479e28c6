package diagnose

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

// manifest is the first file of a bundle.
type manifest struct {
	Schema  int            `json:"schema"`
	Tool    string         `json:"tool"`
	System  string         `json:"system"`
	Made    time.Time      `json:"made"`
	Removed []string       `json:"removed"` // what the bundle does not have
	Files   []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"`
	What   string `json:"what"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// bundle writes a support archive (tar, gzip) of a report and what it was made
// from: a manifest, the report in both forms, certificates, attempts, policies.
// It has no private keys, tokens, passwords or AWS credentials: secrets are taken
// out of everything in it, whatever way they came there.
func bundle(w io.Writer, r Report, device probe.Report, account *inspect.Report, secrets []string) error {
	clean := scrubber(secrets)
	report, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	report = clean(report)
	// The text breaks its lines, and a secret in two halves is not found: it is made
	// of what is clean already.
	var cleaned Report
	if err := json.Unmarshal(report, &cleaned); err != nil {
		return fmt.Errorf("report without secrets: %w", err)
	}
	var text bytes.Buffer
	if err := cleaned.Text(&text, layout.Paint{}); err != nil {
		return err
	}
	type file struct {
		name, what string
		content    []byte
	}
	files := []file{
		{"report.txt", "the report for people", text.Bytes()},
		{"report.json", "the report for programs", report},
		{"certificates.pem", "the device's certificate and chain, and the chain that the server presented", certificates(device.Facts)},
	}
	if account != nil {
		for _, d := range account.Attempts {
			raw, err := json.MarshalIndent(d, "", "  ")
			if err != nil {
				return err
			}
			files = append(files, file{"attempts/" + d.Attempt.ID + ".json", "an attempt of the probe, as the gateway recorded it", raw})
		}
		for i, p := range account.Policies {
			files = append(files, file{fmt.Sprintf("policies/%02d.json", i+1), "policy " + p.Name + " version " + p.Version + " (" + p.Source + ")", p.Document})
		}
	}
	m := manifest{
		Schema: Schema, Tool: "gatehouse " + version(), System: runtime.GOOS + "/" + runtime.GOARCH, Made: time.Now().UTC().Truncate(time.Second),
		Removed: []string{"private keys", "tokens, signatures, user names and passwords of the device", "AWS credentials"},
	}
	for i := range files {
		files[i].content = clean(files[i].content)
		sum := sha256.Sum256(files[i].content)
		m.Files = append(m.Files, manifestFile{files[i].name, string(clean([]byte(files[i].what))), len(files[i].content), hex.EncodeToString(sum[:])})
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	files = slices.Insert(files, 0, file{"manifest.json", "", append(raw, '\n')})
	zw := gzip.NewWriter(w)
	tw := tar.NewWriter(zw)
	for _, f := range files {
		header := &tar.Header{Name: "gatehouse-diagnose/" + f.name, Mode: 0o600, Size: int64(len(f.content)), ModTime: m.Made, Typeflag: tar.TypeReg}
		if err := tw.WriteHeader(header); err != nil {
			return err
		}
		if _, err := tw.Write(f.content); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zw.Close()
}

// certificates are those that both ends showed: public by their nature.
func certificates(f probe.Facts) []byte {
	var b bytes.Buffer
	write := func(whose string, list []*x509.Certificate) {
		for i, c := range list {
			fmt.Fprintf(&b, "%s %d: %s, issued by %s\n", whose, i+1, c.Subject, c.Issuer)
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		}
	}
	write("device", f.Chain)
	write("server", f.ServerChain)
	return b.Bytes()
}

// removed stands where a secret was.
const removed = "[removed]"

var (
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)`)
	accessKey  = regexp.MustCompile(`(AKIA|ASIA)[A-Z0-9]{16}`)
)

// scrubber takes secrets out of a text: as they are, and as JSON writes them.
func scrubber(secrets []string) func([]byte) []byte {
	var forms []string
	for _, s := range secrets {
		if len(s) < 3 { // a short word would tear the text apart, and is no secret
			continue
		}
		forms = append(forms, s)
		if raw, err := json.Marshal(s); err == nil {
			forms = append(forms, strings.Trim(string(raw), `"`))
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	var pairs []string
	for _, f := range forms {
		pairs = append(pairs, f, removed)
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text []byte) []byte {
		out := replacer.Replace(string(text))
		out = privateKey.ReplaceAllString(out, removed)
		return []byte(accessKey.ReplaceAllString(out, removed))
	}
}

// version is that of this build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
