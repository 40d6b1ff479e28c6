package sigv4

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// An Encoding says in which form of the path a signature was made.
type Encoding string

// Encodings. AWS services but S3 sign the path encoded a second time; curl's
// --aws-sigv4 signs it as S3 does. Source: api sheet 5.1.
const (
	Double Encoding = "double" // the wire's path, encoded again
	Single Encoding = "single" // the wire's path, as it is or encoded once
)

// paths returns the canonical paths to try, the right one first.
func paths(raw string) []struct {
	path string
	enc  Encoding
} {
	if raw == "" {
		raw = "/"
	}
	type p = struct {
		path string
		enc  Encoding
	}
	var out []p
	add := func(path string, enc Encoding) {
		if !slices.ContainsFunc(out, func(o p) bool { return o.path == path }) {
			out = append(out, p{path, enc})
		}
	}
	add(encode(normalize(raw), "/"), Double)
	add(encode(raw, "/"), Double)
	add(encode(raw, "/%"), Single)
	add(raw, Single)
	return out
}

// normalize removes dot segments and empty segments, as SDKs do before they
// sign; a slash at the end stays.
func normalize(path string) string {
	var out []string
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, seg)
		}
	}
	p := "/" + strings.Join(out, "/")
	if strings.HasSuffix(path, "/") && p != "/" {
		p += "/"
	}
	return p
}

// encode percent-encodes every byte but the unreserved ones and those in keep.
func encode(s, keep string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.', c == '~', strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// canonicalQuery decodes, encodes and sorts the parameters, without those named.
func canonicalQuery(raw string, without ...string) (string, error) {
	type pair struct{ name, value string }
	var pairs []pair
	for p := range strings.SplitSeq(raw, "&") {
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return "", err
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return "", err
		}
		if !slices.Contains(without, name) {
			pairs = append(pairs, pair{encode(name, ""), encode(value, "")})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String(), nil
}

// canonicalHeaders writes the signed headers in the order of their names.
func (s *Signature) canonicalHeaders() (lines, names string) {
	sortedNames := slices.Sorted(slices.Values(s.SignedHeaders))
	var b strings.Builder
	for _, name := range sortedNames {
		b.WriteString(name)
		b.WriteByte(':')
		switch values := s.request.Header.Values(name); {
		case name == "host":
			b.WriteString(squeeze(s.request.Host))
		case name == "content-length" && len(values) == 0:
			b.WriteString(strconv.FormatInt(s.request.Length, 10))
		default:
			for i, v := range values {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(squeeze(v))
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), strings.Join(sortedNames, ";")
}

// squeeze trims v and reduces inner runs of spaces to one.
func squeeze(v string) string {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return v
	}
	var b strings.Builder
	space := false
	for i := range len(v) {
		if v[i] == ' ' && space {
			continue
		}
		space = v[i] == ' '
		b.WriteByte(v[i])
	}
	return b.String()
}
