package inspect

import (
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// A Server is a Gatehouse as it describes itself: GET /gatehouse/v1/server.
type Server struct {
	Endpoint  string `json:"endpoint"`
	AccountID string `json:"accountId"`
	Region    string `json:"region"`
	Ports     struct {
		MQTT  int `json:"mqtt"`
		HTTPS int `json:"https"`
		ALPN  int `json:"alpn"`
	} `json:"ports"`
}

// serverPath answers a Server where the account is played by a Gatehouse.
const serverPath = "/gatehouse/v1/server"

const (
	maxAttempts = 12              // more than the connections of a run
	settle      = 2 * time.Second // that a connection which is over may take until it is recorded, and recorded as over
)

// askServer asks the account what it is; false if it is no Gatehouse.
func (l *look) askServer(ctx context.Context) (s Server, ok bool) {
	if l.gatehouse == nil {
		return s, false
	}
	raw, err := l.gatehouse(ctx, serverPath)
	if err != nil || json.Unmarshal(raw, &s) != nil || s.AccountID == "" {
		return Server{}, false
	}
	return s, true
}

// attempts reads what a Gatehouse recorded of the probe's connections. It has no
// results of its own: the attempts speak for themselves.
func (l *look) attempts(ctx context.Context) []probe.Result {
	l.report.Server, l.report.Gatehouse = l.server()
	if !l.report.Gatehouse || len(l.device.Connections) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for deadline := time.Now().Add(settle); ; {
		over := !time.Now().Before(deadline)
		list, found, err := l.recorded(ctx, over)
		if err != nil {
			return []probe.Result{l.unseen("gatehouse:GET "+attempt.Path, err)}
		}
		live := slices.ContainsFunc(list, func(a attempt.Summary) bool { return a.Ended.IsZero() && a.Outcome == attempt.Live })
		if (live || !found) && !over {
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		for _, a := range list[:min(len(list), maxAttempts)] {
			raw, err := l.gatehouse(ctx, attempt.Path+"/"+url.PathEscape(a.ID))
			var d attempt.Detail
			if err == nil && json.Unmarshal(raw, &d) == nil {
				l.report.Attempts = append(l.report.Attempts, d)
			}
		}
		return nil
	}
}

// recorded lists the attempts that are the probe's, by the ports of its ends; found
// says that the one which acts as the device is among them. One record may count
// several refusals that are the same, and has the port of the last one. Where an
// address on the way was rewritten, nothing has such a port: with byName the
// certificate and the client ID count then.
func (l *look) recorded(ctx context.Context, byName bool) (own []attempt.Summary, found bool, err error) {
	q := url.Values{"since": {l.device.Since.Add(-time.Second).UTC().Format(time.RFC3339)}, "maxResults": {"100"}}
	raw, err := l.gatehouse(ctx, attempt.Path+"?"+q.Encode())
	if err != nil {
		return nil, false, err
	}
	var page attempt.Page
	if err := json.Unmarshal(raw, &page); err != nil {
		return nil, false, err
	}
	for _, a := range page.Attempts {
		from := func(c netip.AddrPort) bool {
			return c.Port() == a.Source.Port() && sameHost(c.Addr(), a.Source.Addr())
		}
		device := slices.ContainsFunc(l.device.Connections, from)
		if device || slices.ContainsFunc(l.device.Others, from) {
			own = append(own, a)
			found = found || device || a.Count > 1
		}
	}
	if len(own) > 0 || !byName {
		return own, found, nil
	}
	for _, a := range page.Attempts {
		if l.device.Fingerprint != "" && a.CertificateID == l.device.Fingerprint || l.device.ClientID != "" && a.ClientID == l.device.ClientID {
			own = append(own, a)
		}
	}
	return own, len(own) > 0, nil
}

// Live tells whether a client is connected: by what a Gatehouse recorded, else by
// the fleet index of AWS. known is false when neither could tell.
func (i *Inspector) Live(ctx context.Context, clientID string) (live, known bool, who string) {
	if i.gatehouse != nil {
		q := url.Values{"outcome": {"live"}, "clientId": {clientID}, "maxResults": {"1"}}
		raw, err := i.gatehouse(ctx, attempt.Path+"?"+q.Encode())
		var page attempt.Page
		if err == nil && json.Unmarshal(raw, &page) == nil {
			if len(page.Attempts) > 0 && page.Attempts[0].ClientID == clientID {
				return true, true, page.Attempts[0].Source.Addr().String()
			}
			return false, true, ""
		}
	}
	return i.indexed(ctx, clientID)
}
