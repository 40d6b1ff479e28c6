package sigv4

import (
	"cmp"
	"net/http"
	"strings"
)

// RequestOf returns the signed part of a request that net/http read.
func RequestOf(r *http.Request, tls bool) Request {
	path, query := RawTarget(r)
	return Request{
		Method: r.Method, RawPath: path, RawQuery: query, Host: r.Host,
		Header: r.Header, Length: r.ContentLength, TLS: tls,
	}
}

// RawTarget returns the path and query exactly as they were on the wire: what is
// signed must not be rebuilt from decoded forms.
func RawTarget(r *http.Request) (path, query string) {
	if r.RequestURI == "" { // not from a socket
		return cmp.Or(r.URL.EscapedPath(), "/"), r.URL.RawQuery
	}
	uri := r.RequestURI
	if !strings.HasPrefix(uri, "/") { // absolute form
		if _, rest, ok := strings.Cut(uri, "://"); ok {
			if i := strings.IndexAny(rest, "/?"); i >= 0 {
				uri = rest[i:]
			} else {
				uri = "/"
			}
		}
	}
	path, query, _ = strings.Cut(uri, "?")
	return cmp.Or(path, "/"), query
}
