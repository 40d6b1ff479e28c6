package probe

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Bounds of a folder that is looked through.
const (
	maxDepth    = 4
	maxEntries  = 4000 // files and folders
	maxSettings = 512 << 10
)

// found is what a folder holds.
type found struct {
	certs, keys, roots []foundFile
	settings           settings
}

type foundFile struct {
	path string
	parsed
}

// settings are what sources and configurations say of the connection.
type settings struct {
	endpoint, port, clientID, thing string
}

// discover fills what was not given from the folder From: an AWS connection kit,
// what `gatehouse device add` wrote, or an ESP-IDF project. It only reads.
func (p *run) discover() bool {
	in, err := look(p.From)
	if err != nil {
		p.add(check.FileMissing, Fail, f("path", p.From), f("error", err.Error()))
		return false
	}
	if p.CertFile == "" && p.KeyFile == "" {
		cert, key := in.pair()
		p.CertFile, p.KeyFile = cert.path, key.path
	}
	if p.CAFile == "" {
		p.CAFile = in.root(p.CertFile).path
	}
	p.Endpoint = cmp.Or(p.Endpoint, in.settings.endpoint)
	p.ClientID = cmp.Or(p.ClientID, in.settings.clientID)
	p.Thing = cmp.Or(p.Thing, in.settings.thing)
	if port, err := strconv.ParseUint(in.settings.port, 10, 16); err == nil && p.Port == 0 {
		p.Port = int(port)
	}
	if p.CertFile == "" && p.KeyFile == "" && p.CAFile == "" && p.Endpoint == "" {
		p.add(check.FileMissing, Fail, f("path", p.From), f("required", "a certificate, a private key, a root CA, or an endpoint in a configuration"))
		return false
	}
	return true
}

// pair returns a certificate and the key that fits it; else the first of each,
// whose mismatch is a finding.
func (in *found) pair() (cert, key foundFile) {
	for _, c := range in.certs {
		for _, k := range in.keys {
			if k.key != nil && fits(k.key, c.parsed.certs[0]) {
				return c, k
			}
		}
	}
	if len(in.certs) > 0 {
		cert = in.certs[0]
	}
	if len(in.keys) > 0 {
		key = in.keys[0]
	}
	return cert, key
}

// root returns the trust store: of several the one that did not issue the
// device's certificate, and that has the usual name.
func (in *found) root(certPath string) foundFile {
	var issuer string
	for _, c := range in.certs {
		if c.path == certPath {
			issuer = string(c.parsed.certs[0].RawIssuer)
		}
	}
	rank := func(f foundFile) int {
		n := 0
		if string(f.parsed.certs[0].RawSubject) == issuer {
			n += 4
		}
		name := strings.ToLower(filepath.Base(f.path))
		if !strings.Contains(name, "root") && !strings.Contains(name, "ca") {
			n++
		}
		if strings.HasPrefix(f.parsed.certs[0].Subject.CommonName, "Amazon Root CA") {
			n--
		}
		return n
	}
	if len(in.roots) == 0 {
		return foundFile{}
	}
	return slices.MinFunc(in.roots, func(a, b foundFile) int { return cmp.Compare(rank(a), rank(b)) })
}

// skipped are folders that hold other people's certificates and code.
var skipped = []string{".git", "node_modules", "build", "managed_components", "components", "dist", "target", ".pio", "venv", ".venv", "test", "tests"}

// look reads the files of a folder, by their content.
func look(dir string) (in found, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return in, err
	}
	if !info.IsDir() {
		return in, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrInvalid}
	}
	seen := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxEntries {
			return skipUnreadable(path, dir, err)
		}
		depth := strings.Count(strings.TrimPrefix(path, dir), string(filepath.Separator))
		if d.IsDir() {
			if path != dir && (depth > maxDepth || slices.Contains(skipped, d.Name())) {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			in.take(path, d)
		}
		return nil
	})
	return in, err
}

// skipUnreadable goes on past what can't be read, except the folder itself.
func skipUnreadable(path, dir string, err error) error {
	switch {
	case err == nil:
		return filepath.SkipAll
	case path == dir:
		return err
	}
	return nil
}

// take keeps a file if it is of use.
func (in *found) take(path string, d fs.DirEntry) {
	info, err := d.Info()
	if err != nil || info.Size() > maxSettings {
		return
	}
	raw, err := readFile(path)
	if err != nil {
		return
	}
	file := foundFile{path, parse(raw)}
	switch {
	case file.kind == kindKey:
		in.keys = append(in.keys, file)
	case file.kind == kindCertificates && (file.parsed.certs[0].IsCA || file.parsed.certs[0].Version == 1):
		in.roots = append(in.roots, file)
	case file.kind == kindCertificates:
		in.certs = append(in.certs, file)
	default:
		in.settings.read(string(raw))
	}
}

// Settings in ESP-IDF's sdkconfig (CONFIG_NAME="value"), C headers (#define NAME
// "value"), JSON and YAML, and the arguments of AWS's start scripts. Commented
// lines do not count.
var (
	settingLine = regexp.MustCompile(`(?m)^[ \t]*(?:#[ \t]*define[ \t]+|static const char[^=\n]*?|const char[^=\n]*?|export[ \t]+)?["']?([A-Za-z][A-Za-z0-9_.-]*)["']?(?:\[\])?[ \t]*(?:[=:][ \t]*|[ \t]+)["']?([^"'\s;,]+)["']?`)
	member      = regexp.MustCompile(`"([A-Za-z][A-Za-z0-9_.-]*)"\s*:\s*"?([^"'\s;,}]+)`)
	argument    = regexp.MustCompile(`--(endpoint|port|client_id|client-id|thing_name|thing-name)[= ]+["']?([^"'\s]+)`)
	notName     = strings.NewReplacer("_", "", "-", "", ".", "")
)

// read takes the settings that are not known yet.
func (s *settings) read(text string) {
	for _, re := range []*regexp.Regexp{settingLine, member, argument} {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			s.set(strings.ToLower(notName.Replace(m[1])), m[2])
		}
	}
}

// set takes one setting by its name, which each project words in its own way:
// AWS_IOT_ENDPOINT, CONFIG_AWS_IOT_MQTT_HOST, CONFIG_MQTT_BROKER_ENDPOINT,
// CONFIG_GRI_MQTT_ENDPOINT, CONFIG_BROKER_URI, CLIENT_IDENTIFIER.
func (s *settings) set(name, value string) {
	name = strings.TrimPrefix(name, "config")
	name = strings.Replace(name, "example", "", 1)
	into := func(field *string, ok bool) {
		if *field == "" && ok {
			*field = value
		}
	}
	hostLike := strings.Contains(value, ".") || value == "localhost"
	switch {
	case hasAnySuffix(name, "brokeruri", "brokerurl", "mqtturi"):
		if _, bare := notHostname(value); bare != "" { // a URL is right here: the client takes it apart
			value = bare
			into(&s.endpoint, true)
		}
	case hasAnySuffix(name, "iotendpoint", "brokerendpoint", "mqttendpoint", "mqtthost", "iothost", "endpointaddress"), name == "endpoint", name == "host":
		into(&s.endpoint, hostLike)
	case hasAnySuffix(name, "mqttport", "brokerport", "iotport"), name == "port":
		_, err := strconv.ParseUint(value, 10, 16)
		into(&s.port, err == nil)
	case hasAnySuffix(name, "clientidentifier", "mqttclientid", "iotclientid"), name == "clientid", name == "awsclientid":
		into(&s.clientID, true)
	case hasAnySuffix(name, "thingname"):
		into(&s.thing, true)
	}
}

func hasAnySuffix(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(x string) bool { return strings.HasSuffix(s, x) })
}
