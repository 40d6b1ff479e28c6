package gateway

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// TestConnects goes through the ways in which MQTT devices connect: section 2.
func TestConnects(t *testing.T) {
	for name, tt := range map[string]struct {
		door     Door
		offered  []string
		sni      string
		wantALPN string
	}{
		"8883, no ALPN":               {DoorMQTT, nil, endpointHost, ""},
		"8883, the SDK's ALPN":        {DoorMQTT, []string{"x-amzn-mqtt-ca"}, endpointHost, "x-amzn-mqtt-ca"},
		"8883, unknown ALPN":          {DoorMQTT, []string{"h2", "foo"}, endpointHost, ""},
		"8883, other case":            {DoorMQTT, nil, strings.ToUpper(endpointHost), ""},
		"8883, a second name":         {DoorMQTT, nil, "localhost", ""},
		"8883, no SNI":                {DoorMQTT, nil, "", ""},
		"443, x-amzn-mqtt-ca":         {DoorALPN, []string{"x-amzn-mqtt-ca"}, endpointHost, "x-amzn-mqtt-ca"},
		"443, x-amzn-mqtt-ca, second": {DoorALPN, []string{"h2", "x-amzn-mqtt-ca"}, endpointHost, "x-amzn-mqtt-ca"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+"/"+tls.VersionName(version), func(t *testing.T) {
				r := newRig(t, nil)
				d := issued(t, registry.StatusActive)
				cfg := clientConfig(version, tt.sni, d.cert)
				cfg.NextProtos = tt.offered
				if tt.sni != strings.ToLower(tt.sni) {
					cfg.InsecureSkipVerify = true // the name in the certificate is in lower case
				}
				got := r.talk(tt.door, cfg, connect)
				if got.handshake != nil || string(got.answer) != "\x20\x02\x00\x00" || got.alpn != tt.wantALPN {
					t.Fatalf("the client saw %+v, want a CONNACK and ALPN %q", got, tt.wantALPN)
				}
				info, who := <-r.mqtt.served, <-r.mqtt.who
				if who.ID != d.id || who.ARN != "arn:aws:iot:us-east-1:123456789012:cert/"+d.id || info.Facts.DomainName != tt.sni || info.Facts.SourceIP.String() != "127.0.0.1" {
					t.Errorf("mqttconn got %+v of %+v", info, who)
				}
				rec := r.record()
				if rec.Outcome != attempt.Passed || rec.Principal != d.id || rec.SNI != tt.sni {
					t.Errorf("record %+v", rec)
				}
				want := []string{"tcp.accepted", "tls.client_hello", "tls.sni", "tls.alpn", "cert.presented", "cert.validity", "cert.registered", "cert.active", "tls.handshake", "cert.key_proof", "mqtt.connect"}
				passed := codesOf(rec, attempt.Passed)
				if diff := cmp.Diff(without(want, tt.sni == "", "tls.sni", tt.wantALPN == "", "tls.alpn"), passed); diff != "" {
					t.Errorf("checks passed (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// without drops words whose condition, before it, is true.
func without(list []string, pairs ...any) []string {
	var kept []string
	for _, s := range list {
		drop := false
		for i := 0; i < len(pairs); i += 2 {
			drop = drop || pairs[i].(bool) && pairs[i+1] == s
		}
		if !drop {
			kept = append(kept, s)
		}
	}
	return kept
}

// TestPlaintext is row 2 of connect sheet 5.1: no TLS on a TLS port.
func TestPlaintext(t *testing.T) {
	for name, tt := range map[string]struct {
		send string
		want *check.Check
	}{
		"MQTT":         {string(connect), check.TLSPlaintextMQTT},
		"MQTT 3.1":     {"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x03dev", check.TLSPlaintextMQTT},
		"HTTP":         {"GET /topics/a?token=secret HTTP/1.1\r\nHost: x\r\n\r\n", check.TLSPlaintextHTTP},
		"HTTP/2":       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", check.TLSPlaintextHTTP},
		"SSH":          {"SSH-2.0-OpenSSH_9.2\r\n", check.TLSNotTLS},
		"broken hello": {"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", check.TLSClientHelloMalformed},
		"nothing":      {"", check.TCPClosedBeforeHello},
	} {
		for _, door := range []Door{DoorMQTT, DoorHTTPS, DoorALPN} {
			t.Run(name+"/"+string(door), func(t *testing.T) {
				r := newRig(t, nil)
				nc, err := net.Dial("tcp", r.addr[door])
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(10 * time.Second))
				io.WriteString(nc, tt.send)
				nc.(*net.TCPConn).CloseWrite()
				answer, err := io.ReadAll(nc)
				if tt.want != check.TLSClientHelloMalformed && len(answer) > 0 || err != nil {
					t.Errorf("the client read %q, %v; want a clean close", answer, err)
				}
				rec := r.record()
				if tt.want == check.TCPClosedBeforeHello {
					if diff := cmp.Diff([]string{tt.want.Code}, codesOf(rec, attempt.Warned)); diff != "" {
						t.Errorf("warnings (-want +got):\n%s", diff)
					}
					return
				}
				if rec.Code != tt.want.Code {
					t.Errorf("record failed by %q, want %q", rec.Code, tt.want.Code)
				}
				for _, s := range rec.Steps {
					for _, f := range s.Evidence {
						if strings.Contains(f.Value, "secret") {
							t.Errorf("evidence %s holds a credential: %q", f.Key, f.Value)
						}
					}
				}
			})
		}
	}
}

// TestWrongProtocol is connect sheet 2.4 behind a good handshake.
func TestWrongProtocol(t *testing.T) {
	for name, tt := range map[string]struct {
		door    Door
		offered []string
		send    string
		want    *check.Check
	}{
		"MQTT to 443 without ALPN":     {DoorALPN, nil, string(connect), check.TLSALPNMissingOn443},
		"MQTT to 443 with a wrong one": {DoorALPN, []string{"x-amzn-mqtt"}, string(connect), check.TLSALPNMissingOn443},
		"MQTT to 443 as x-amzn-http":   {DoorALPN, []string{"x-amzn-http-ca"}, string(connect), check.ProtocolMQTTOnHTTP},
		"MQTT to 8443":                 {DoorHTTPS, nil, string(connect), check.ProtocolMQTTOnHTTP},
		"HTTPS to 8883":                {DoorMQTT, []string{"h2", "http/1.1"}, "POST /topics/a?qos=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", check.ProtocolHTTPOnMQTT},
		"HTTPS to MQTT on 443":         {DoorALPN, []string{"x-amzn-mqtt-ca"}, "GET / HTTP/1.1\r\n\r\n", check.ProtocolHTTPOnMQTT},
		"binary to 8443":               {DoorHTTPS, nil, "\x00\x01\x02\x03", check.ProtocolUnrecognized},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+"/"+tls.VersionName(version), func(t *testing.T) {
				r := newRig(t, nil)
				cfg := clientConfig(version, endpointHost, issued(t, registry.StatusActive).cert)
				cfg.NextProtos = tt.offered
				got := r.talk(tt.door, cfg, []byte(tt.send))
				if got.handshake != nil || len(got.answer) > 0 || !got.clean {
					t.Errorf("the client saw %+v, want a handshake and close_notify", got)
				}
				rec := r.record()
				if rec.Code != tt.want.Code {
					t.Errorf("record failed by %q, want %q: %v", rec.Code, tt.want.Code, rec.Steps)
				}
				if strings.HasPrefix(tt.send, "\x10") && rec.ClientID != "dev" {
					t.Errorf("record has client ID %q, want dev", rec.ClientID)
				}
			})
		}
	}
}

// TestMissingALPNAndPolicy is PROBLEMS C-10: two faults, both reported.
func TestMissingALPNAndPolicy(t *testing.T) {
	r := newRig(t, nil)
	d := issued(t, registry.StatusActive)
	thing := "pump-" + d.id[:8]
	if _, err := world.registry.CreateThing(t.Context(), registry.NewThing{Name: thing}); err != nil {
		t.Fatal(err)
	}
	if err := world.registry.AttachThingPrincipal(t.Context(), thing, registry.Target{Type: registry.TargetCertificate, Name: d.id}, registry.NonExclusiveThing); err != nil {
		t.Fatal(err)
	}
	packet := append([]byte{0x10, byte(12 + len(thing)), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, byte(len(thing))}, thing...)
	r.talk(DoorALPN, clientConfig(tls.VersionTLS13, endpointHost, d.cert), packet)
	rec := r.record()
	if rec.Code != check.TLSALPNMissingOn443.Code || rec.ClientID != thing {
		t.Errorf("record failed by %q for client %q", rec.Code, rec.ClientID)
	}
	if diff := cmp.Diff([]string{check.PolicyNoneAttached.Code}, codesOf(rec, attempt.Also)); diff != "" {
		t.Errorf("also (-want +got):\n%s", diff)
	}
	if got := evidenceOf(rec, check.PolicyNoneAttached)["principal"]; got != d.id {
		t.Errorf("policy.none_attached is about %q, want %q", got, d.id)
	}
}

// upgradeHeader asks for a WebSocket.
var upgradeHeader = map[string]string{
	"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "mqtt",
}

// TestHTTPAnswers are the doors for HTTPS: what later work adds is named, never
// pretended, and a client never hangs. Source: connect sheet 6.
func TestHTTPAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		door         Door
		alpn         string
		method, path string
		header       map[string]string
		status       int
		kind         string
		message      string
		want         *check.Check
	}{
		"publish on 8443":      {door: DoorHTTPS, method: "POST", path: "/topics/a/b?qos=1", status: 403, kind: "ForbiddenException", message: "Forbidden", want: check.AuthzPublish},
		"publish, ALPN":        {door: DoorALPN, alpn: "x-amzn-http-ca", method: "POST", path: "/topics/a%2Fb", status: 403, kind: "ForbiddenException", message: "Forbidden", want: check.AuthzPublish},
		"shadow":               {door: DoorHTTPS, method: "GET", path: "/things/t/shadow", status: 403, kind: "ForbiddenException", message: "Forbidden", want: check.AuthzRequest},
		"jobs":                 {door: DoorHTTPS, method: "PUT", path: "/things/t/jobs/$next", status: 501, kind: "NotImplementedException", message: "StartNextPendingJobExecution is not implemented yet", want: check.HTTPNotBuilt},
		"credentials":          {door: DoorHTTPS, method: "GET", path: "/role-aliases/r/credentials", status: 501, kind: "NotImplementedException", message: "AssumeRoleWithCertificate is not implemented yet", want: check.HTTPNotBuilt},
		"GET on topics":        {door: DoorHTTPS, method: "GET", path: "/topics/a", status: 405, kind: "MethodNotAllowedException", want: check.HTTPMethod},
		"WebSocket on 8443":    {door: DoorHTTPS, method: "GET", path: "/mqtt", header: upgradeHeader, status: 404, kind: "ResourceNotFoundException", want: check.HTTPNotFound},
		"bad query":            {door: DoorHTTPS, method: "POST", path: "/topics/a?qos=5", status: 400, kind: "InvalidRequestException", want: check.HTTPRefused},
		"no such path":         {door: DoorHTTPS, method: "GET", path: "/", status: 404, kind: "ResourceNotFoundException", message: "Not Found", want: check.HTTPNotFound},
		"certificate on 443":   {door: DoorALPN, method: "POST", path: "/topics/a?qos=1", status: 403, kind: "ForbiddenException", message: "Forbidden", want: check.HTTPPortForCertAuth},
		"half a signature":     {door: DoorALPN, method: "POST", path: "/topics/a", header: map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=x"}, status: 403, kind: "ForbiddenException", want: check.SigV4Malformed},
		"half a presigned URL": {door: DoorALPN, method: "GET", path: "/mqtt?X-Amz-Signature=00", header: upgradeHeader, status: 403, kind: "ForbiddenException", want: check.SigV4Malformed},
		"authorizer on 443":    {door: DoorALPN, method: "POST", path: "/topics/a", header: map[string]string{"x-amz-customauthorizer-name": "a"}, status: 403, kind: "ForbiddenException", want: check.AuthorizerUnknown},
		"GET without upgrade":  {door: DoorALPN, alpn: "http/1.1", method: "GET", path: "/mqtt", status: 400, kind: "InvalidRequestException", want: check.WebSocketHandshake},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			cfg := clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert)
			if tt.alpn != "" {
				cfg.NextProtos = []string{tt.alpn}
			}
			tc, err := tls.Dial("tcp", r.addr[tt.door], cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer tc.Close()
			tc.SetDeadline(time.Now().Add(10 * time.Second))
			req, err := http.NewRequest(tt.method, "https://"+endpointHost+tt.path, strings.NewReader("21"))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tt.header {
				req.Header.Set(k, v)
			}
			req.Close = true
			if err := req.Write(tc); err != nil {
				t.Fatal(err)
			}
			var raw bytes.Buffer
			resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(tc, &raw)), req)
			if err != nil {
				t.Fatal(err)
			}
			var body struct{ Message, TraceID string }
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || resp.Header.Get("x-amzn-ErrorType") != tt.kind+":" || tt.message != "" && body.Message != tt.message {
				t.Errorf("answer %d %q %q, want %d %q %q", resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), body.Message, tt.status, tt.kind, tt.message)
			}
			if line := "\r\nx-amzn-ErrorType: " + tt.kind + ":\r\n"; !strings.Contains(raw.String(), line) { // firmware may know one spelling only
				t.Errorf("the answer has no line %q:\n%s", line, raw.String())
			}
			tc.Close()
			rec := r.record()
			if rec.Code != tt.want.Code || resp.Header.Get("x-amzn-RequestId") != rec.ID || body.TraceID != rec.ID {
				t.Errorf("record %s failed by %q, want %q and trace %s", rec.ID, rec.Code, tt.want.Code, body.TraceID)
			}
			path, _, _ := strings.Cut(tt.path, "?")
			if ev := evidenceOf(rec, check.HTTPRequest); ev["method"] != tt.method || ev["path"] != strings.ReplaceAll(path, "%2F", "/") {
				t.Errorf("%s has the evidence %v", check.HTTPRequest, ev)
			}
		})
	}
}

// TestHTTPKeepAlive gives each request of a connection its own attempt.
func TestHTTPKeepAlive(t *testing.T) {
	r := newRig(t, nil)
	tc, err := tls.Dial("tcp", r.addr[DoorHTTPS], clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert))
	if err != nil {
		t.Fatal(err)
	}
	tc.SetDeadline(time.Now().Add(10 * time.Second))
	br := bufio.NewReader(tc)
	traces := map[string]bool{}
	for _, path := range []string{"/topics/a", "/topics/b", "/nowhere"} {
		io.WriteString(tc, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n21")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		traces[resp.Header.Get("x-amzn-RequestId")] = true
	}
	tc.Close()
	if r.records(3); len(traces) != 3 {
		t.Errorf("trace IDs %v, want three", traces)
	}
}

// TestHTTPHostile are requests that are none: answered or closed, never left hanging.
func TestHTTPHostile(t *testing.T) {
	for name, tt := range map[string]struct {
		send string
		want *check.Check
	}{
		"no version":   {"GET / \r\n\r\n", check.HTTPMalformed},
		"huge header":  {"GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", check.HTTPMalformed},
		"huge body":    {"POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("a", 200000), check.LimitPayload},
		"two lengths":  {"POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\naaa", check.HTTPMalformed},
		"odd verb":     {"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", check.HTTPNotFound},
		"silent":       {"", check.ProtocolClosedBeforeData},
		"half a line":  {"GET /top", check.HTTPMalformed},
		"HTTP/2 magic": {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", check.HTTPNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			nc, err := net.Dial("tcp", r.addr[DoorHTTPS])
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			tc := tls.Client(nc, clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert))
			tc.SetDeadline(time.Now().Add(10 * time.Second))
			if err := tc.Handshake(); err != nil {
				t.Fatal(err)
			}
			go func() { io.WriteString(tc, tt.send); tc.CloseWrite() }()
			io.Copy(io.Discard, tc)
			nc.Close()
			if rec := r.record(); rec.Code != tt.want.Code {
				t.Errorf("record failed by %q, want %q: %v", rec.Code, tt.want.Code, rec.Steps)
			}
		})
	}
}
