package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// user makes a user with a policy and returns it with its key.
func user(t testing.TB, document string) (registry.User, aws.Credentials) {
	t.Helper()
	u, key, err := world.registry.CreateUser(t.Context(), "u"+strings.ToLower(newKey(t).X.Text(36)[:20]), "inline", document)
	if err != nil {
		t.Fatal(err)
	}
	return u, aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
}

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// presign signs GET /mqtt as browsers do: the host alone, and the token afterwards.
func presign(t testing.TB, key aws.Credentials, host, service, region string, at time.Time, expires string) string {
	t.Helper()
	q := url.Values{}
	if expires != "" {
		q.Set("X-Amz-Expires", expires)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/mqtt?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	token := key.SessionToken
	key.SessionToken = ""
	uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), key, req, emptyHash, service, region, at)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		uri += "&X-Amz-Security-Token=" + url.QueryEscape(token)
	}
	_, target, _ := strings.Cut(uri, host)
	return target
}

// dialer connects to a door by TLS, whatever host an address names.
func (r *rig) dialer(door Door, cfg *tls.Config) *http.Client {
	transport := &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return tls.Dial("tcp", r.addr[door], cfg) },
	}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// TestWebSocket carries MQTT in frames of every shape, by another implementation of RFC 6455.
func TestWebSocket(t *testing.T) {
	for name, tt := range map[string]struct {
		subprotocols []string
		chosen       string
		warned       []string
		sign         func(key aws.Credentials, req *http.Request) string // target
	}{
		"presigned":                 {[]string{"mqtt"}, "mqtt", nil, nil},
		"older SDKs":                {[]string{"mqttv3.1"}, "mqttv3.1", nil, nil},
		"the client's order counts": {[]string{"x", "mqttv3.1", "mqtt"}, "mqttv3.1", nil, nil},
		"no subprotocol":            {nil, "", []string{check.WebSocketSubprotocol.Code}, nil},
		"signed in the header": {[]string{"mqtt"}, "mqtt", nil, func(key aws.Credentials, req *http.Request) string {
			if err := v4.NewSigner().SignHTTP(t.Context(), key, req, emptyHash, "iotdevicegateway", "us-east-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			return "/mqtt"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			u, key := user(t, allowAll)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+endpointHost+"/mqtt", nil)
			if err != nil {
				t.Fatal(err)
			}
			var target string
			if tt.sign != nil {
				target = tt.sign(key, req)
			} else {
				target = presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", time.Now(), "60")
			}
			ws, resp, err := websocket.Dial(t.Context(), "wss://"+endpointHost+target, &websocket.DialOptions{
				HTTPClient: r.dialer(DoorALPN, clientConfig(tls.VersionTLS13, endpointHost)), HTTPHeader: req.Header, Subprotocols: tt.subprotocols,
			})
			if err != nil {
				t.Fatalf("dial: %v", err)
			}
			defer func() { _ = ws.CloseNow() }()
			if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != tt.chosen {
				t.Errorf("subprotocol %q, want %q", got, tt.chosen)
			}
			// A CONNECT in two frames; its answer in one.
			for _, part := range [][]byte{connect[:3], connect[3:]} {
				if err := ws.Write(t.Context(), websocket.MessageBinary, part); err != nil {
					t.Fatal(err)
				}
			}
			kind, answer, err := ws.Read(t.Context())
			if err != nil || kind != websocket.MessageBinary || !bytes.Equal(answer, []byte{0x20, 2, 0, 0}) {
				t.Errorf("answer %x (%v), %v", answer, kind, err)
			}
			if who := <-r.mqtt.who; who.Kind != identity.KindUser || who.ID != u.ID || who.ARN != u.ARN {
				t.Errorf("the connection acts as %+v, want the user %s", who, u.ARN)
			}
			if info := <-r.mqtt.served; info.Facts.Protocol != "wss" || time.Until(info.Lifetime.Ends) < 23*time.Hour {
				t.Errorf("facts %+v, lifetime %+v", info.Facts, info.Lifetime)
			}
			if err := ws.Close(websocket.StatusNormalClosure, "bye"); err != nil {
				t.Errorf("close: %v", err)
			}
			rec := r.record()
			if rec.Code != "" || rec.Principal != u.ID || rec.PrincipalARN != u.ARN {
				t.Errorf("record failed by %q as %q", rec.Code, rec.Principal)
			}
			if got := codesOf(rec, attempt.Warned); len(got) != len(tt.warned) || len(got) > 0 && got[0] != tt.warned[0] {
				t.Errorf("warned of %v, want %v", got, tt.warned)
			}
			for _, c := range []*check.Check{check.SigV4Verified, check.WebSocketUpgraded} {
				if evidenceOf(rec, c) == nil {
					t.Errorf("%s is not recorded", c)
				}
			}
		})
	}
}

// TestWebSocketRefusals answers before the upgrade, in AWS's form, and names the
// step that differs. Source: connect sheet 7, 6.1.
func TestWebSocketRefusals(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Explain = true })
	_, key := user(t, allowAll)
	now := time.Now()
	other := key
	other.SecretAccessKey = strings.Repeat("x", 40)
	unknown := aws.Credentials{AccessKeyID: "AKIAUNKNOWN", SecretAccessKey: "x"}
	temporary := key
	temporary.SessionToken = "token/+"
	for name, tt := range map[string]struct {
		target   string
		host     string
		want     *check.Check
		evidence map[string]string
	}{
		"wrong secret":     {presign(t, other, endpointHost, "iotdevicegateway", "us-east-1", now, "60"), "", check.SigV4Signature, map[string]string{"differs": "the secret access key, or a part of the request that was changed on the way"}},
		"unknown key":      {presign(t, unknown, endpointHost, "iotdevicegateway", "us-east-1", now, "60"), "", check.CredentialsInvalid, map[string]string{"offered": "AKIAUNKNOWN"}},
		"session token":    {presign(t, temporary, endpointHost, "iotdevicegateway", "us-east-1", now, "60"), "", check.SigV4SessionToken, nil},
		"port not signed":  {presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", now, "60"), endpointHost + ":8443", check.SigV4SignedHost, map[string]string{"offered": endpointHost + ":8443", "signed": endpointHost}},
		"other Region":     {presign(t, key, endpointHost, "iotdevicegateway", "eu-west-2", now, "60"), "", check.SigV4ScopeRegion, map[string]string{"offered": "eu-west-2", "required": "us-east-1"}},
		"control plane":    {presign(t, key, endpointHost, "iot", "us-east-1", now, "60"), "", check.SigV4ScopeService, map[string]string{"offered": "iot", "required": "iotdevicegateway"}},
		"expired":          {presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", now.Add(-2*time.Minute), "60"), "", check.SigV4Expired, map[string]string{"required": "1m0s"}},
		"clock behind":     {presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", now.Add(-time.Hour), ""), "", check.SigV4ClockSkew, nil},
		"clock ahead":      {presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", now.Add(time.Hour), "60"), "", check.SigV4ClockSkew, nil},
		"parameter added":  {presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", now, "60") + "&a=b", "", check.SigV4Signature, nil},
		"other payload":    {strings.Replace(presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", now, "60"), "X-Amz-Signature=", "X-Amz-Signature=0", 1), "", check.SigV4Signature, nil},
		"week is too long": {presign(t, key, endpointHost, "iotdevicegateway", "us-east-1", now, "604801"), "", check.SigV4Malformed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+endpointHost+tt.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tt.host
			for k, v := range upgradeHeader {
				req.Header.Set(k, v)
			}
			req.Header.Set("Connection", "Upgrade, close")
			resp, err := r.dialer(DoorALPN, clientConfig(tls.VersionTLS13, endpointHost)).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var body struct{ Message, TraceID string }
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusForbidden || resp.Header.Get("x-amzn-ErrorType") != "ForbiddenException:" || resp.Header.Get("x-gatehouse-diagnosis") != tt.want.Code {
				t.Errorf("answer %d %v", resp.StatusCode, resp.Header)
			}
			rec, found, err := r.attempts.Get(t.Context(), body.TraceID)
			if err != nil || !found {
				t.Fatalf("no record of %s: %v", body.TraceID, err)
			}
			if rec.Code != tt.want.Code {
				t.Errorf("record failed by %q, want %q", rec.Code, tt.want)
			}
			ev := evidenceOf(rec, tt.want)
			for k, want := range tt.evidence {
				if ev[k] != want {
					t.Errorf("evidence %s is %q, want %q", k, ev[k], want)
				}
			}
			for _, secret := range []string{key.SecretAccessKey, temporary.SessionToken} {
				for k, v := range ev {
					if strings.Contains(v, secret) {
						t.Errorf("evidence %s holds a secret", k)
					}
				}
			}
		})
	}
}

// TestWebSocketStranger is let in without credentials, which may come in the
// CONNECT, and refused there.
func TestWebSocketStranger(t *testing.T) {
	r := newRig(t, nil)
	ws, _, err := websocket.Dial(t.Context(), "wss://"+endpointHost+"/mqtt", &websocket.DialOptions{
		HTTPClient: r.dialer(DoorALPN, clientConfig(tls.VersionTLS13, endpointHost)), Subprotocols: []string{"mqtt"},
	})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	defer func() { _ = ws.CloseNow() }()
	if err := ws.Write(t.Context(), websocket.MessageBinary, connect); err != nil {
		t.Fatal(err)
	}
	if _, answer, err := ws.Read(t.Context()); err == nil {
		t.Errorf("answered %x", answer)
	} else if _, isClose := errors.AsType[websocket.CloseError](err); !isClose {
		t.Errorf("the end is %v, want a Close frame", err)
	}
	_ = ws.CloseNow()
	if rec := r.record(); rec.Code == "" || evidenceOf(rec, check.WebSocketUpgraded) == nil {
		t.Errorf("record failed by %q", rec.Code)
	}
}

// TestPublishSigned publishes by a user's signature, on a connection that is kept.
func TestPublishSigned(t *testing.T) {
	r := newRig(t, nil)
	_, key := user(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/ok/*"}]}`)
	tc, err := tls.Dial("tcp", r.addr[DoorALPN], clientConfig(tls.VersionTLS13, endpointHost))
	if err != nil {
		t.Fatal(err)
	}
	defer tc.Close()
	tc.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(tc)
	for _, tt := range []struct {
		target, service string
		status          int
		code            string
	}{
		{"/topics/ok/1?qos=1", "iotdata", 200, ""},
		{"/topics/ok%2F2?qos=1&retain=false", "iotdevicegateway", 200, ""},
		{"/topics/no/1?qos=1", "iotdata", 403, check.AuthzPublish.Code},
		{"/topics/ok/1?qos=1", "iot", 403, check.SigV4ScopeService.Code},
	} {
		body := "hello"
		sum := sha256.Sum256([]byte(body))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+endpointHost+tt.target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := v4.NewSigner().SignHTTP(t.Context(), key, req, hex.EncodeToString(sum[:]), tt.service, "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := req.Write(tc); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		var got struct{ Message, TraceID string }
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if resp.StatusCode != tt.status || got.TraceID != resp.Header.Get("x-amzn-RequestId") || tt.status == 200 && got.Message != "OK" {
			t.Errorf("%s: answer %d %s, want %d", tt.target, resp.StatusCode, answer, tt.status)
		}
		if rec, found, err := r.attempts.Get(t.Context(), got.TraceID); err != nil || !found || rec.Code != tt.code {
			t.Errorf("%s: record failed by %q (found %v, %v), want %q", tt.target, rec.Code, found, err, tt.code)
		}
	}
}
