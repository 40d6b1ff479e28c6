//go:build linux

package faults

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// request writes an HTTP request as it goes on the wire, signed for iot: target
// may be anything that fits a request line.
func request(t testing.TB, gw *gatehouseproc.Process, method, target string, body []byte) []byte {
	t.Helper()
	host := net.JoinHostPort("127.0.0.1", strconv.Itoa(gw.Ports.API))
	path, query, _ := strings.Cut(target, "?")
	r := &http.Request{
		Method: method, Host: host, Header: http.Header{}, ContentLength: int64(len(body)),
		URL: &url.URL{Scheme: "http", Host: host, Opaque: "//" + host + path, RawQuery: query},
	}
	sum := sha256.Sum256(body)
	key := gw.Credentials()
	if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hex.EncodeToString(sum[:]), "iot", gw.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, target, host, len(body))
	r.Header.Del("Content-Length")
	if err := r.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// send sends a request in a connection of its own and reads the answer.
func send(gw *gatehouseproc.Process, raw []byte) (*http.Response, string, error) {
	nc, err := dialFrom("127.0.0.1", gw.Ports.API)
	if err != nil {
		return nil, "", err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	go nc.Write(raw) // the server may answer before it has read all
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// Signed requests that no SDK sends get an answer of the client's fault, in
// good time, whatever they ask for.
func TestHostileRequests(t *testing.T) {
	gw := gatehouseproc.Start(t)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, tt := range map[string]struct{ method, target, body, want string }{
		"right":                       {"POST", "/things/right", `{}`, "200"},
		"NUL in a name":               {"POST", "/things/a%00b", `{}`, "400 InvalidRequestException"},
		"line feeds in a name":        {"POST", "/things/a%0d%0aX-Injected:%20yes", `{}`, "400 InvalidRequestException"},
		"line feeds in a query":       {"GET", "/things?nextToken=%0d%0aX-Injected:%20yes", "", "400 InvalidRequestException"},
		"invalid UTF-8 in a name":     {"POST", "/things/%ff%fe", `{}`, "400"},
		"a broken escape":             {"POST", "/things/%zz", `{}`, "400"},
		"two slashes":                 {"GET", "//things", "", "4"},
		"an empty name":               {"POST", "/things//", `{}`, "4"},
		"a parent":                    {"POST", "/things/../things/x", `{}`, "4"},
		"an encoded parent":           {"POST", "/things/%2e%2e", `{}`, "4"},
		"an encoded slash":            {"POST", "/things/a%2fb", `{}`, "400 InvalidRequestException"},
		"a long name":                 {"POST", "/things/" + strings.Repeat("x", 40000), `{}`, "400 InvalidRequestException"},
		"many segments":               {"GET", strings.Repeat("/x", 15000), "", "4"},
		"many parameters":             {"GET", "/things?" + strings.Repeat("a=b&", 5000) + "c=d", "", "200"},
		"a header of 70 KiB":          {"GET", "/things?" + strings.Repeat("a", 70<<10), "", "431"},
		"deep nesting":                {"POST", "/things/x", `{"unknown":` + deep(9000) + `}`, "200"},
		"deeper nesting":              {"POST", "/things/x", `{"unknown":` + deep(200_000) + `}`, "400 SerializationException"},
		"nesting without end":         {"POST", "/things/x", strings.Repeat("[", 900_000), "400 SerializationException"},
		"a key twice":                 {"POST", "/things/x", `{"thingTypeName":"a","thingTypeName":"b"}`, "400 SerializationException"},
		"two documents":               {"POST", "/things/x", `{}{}`, "400 SerializationException"},
		"invalid UTF-8 in JSON":       {"POST", "/things/x", "{\"thingTypeName\":\"\xff\"}", "400 SerializationException"},
		"a number without end":        {"POST", "/things/x", `{"attributePayload":` + strings.Repeat("9", 100_000) + `}`, "400 SerializationException"},
		"a body above the limit":      {"POST", "/things/x", strings.Repeat(" ", 1<<20+1), "413 RequestEntityTooLargeException"},
		"deep policy":                 {"POST", "/policies/p", `{"policyDocument":"` + deep(1000) + `"}`, "400 MalformedPolicyException"},
		"a name that is markup":       {"POST", "/things/%3Cscript%3E", `{}`, "400 InvalidRequestException"},
		"a method that nobody knows":  {"BREW", "/things/x", "", "4"},
		"another service's signature": {"GET", "/2015-03-31/functions", "", "4"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			resp, body, err := send(gw, request(t, gw, tt.method, tt.target, []byte(tt.body)))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("X-Amzn-Errortype"))
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("answered %s %.300s, want %s", got, body, tt.want)
			}
			if resp.Header.Get("X-Injected") != "" {
				t.Error("the input made a header of the answer")
			}
			if len(body) > 4<<10 {
				t.Errorf("the answer has %d bytes", len(body))
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the answer took %v", took)
			}
		})
	}
	if strings.Contains(gw.Output(), "panic") || strings.Contains(gw.Output(), "level=ERROR") {
		t.Errorf("the requests broke something:\n%s", gw.Output())
	}
	if _, err := gw.IoT().DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("right")}); err != nil {
		t.Error(err)
	}
}

// The body of a stranger is not read: he is refused by what the header says.
func TestUnsignedBodiesAreNotRead(t *testing.T) {
	gw := gatehouseproc.Start(t)
	const header = "POST /things/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000\r\n"
	t.Run("refused before the body", func(t *testing.T) {
		resp, _, err := send(gw, []byte(header+"\r\n"))
		if err != nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v, %v, want 403 before a byte of the body", resp, err)
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		resp, _, err := send(gw, []byte(header+"Expect: 100-continue\r\n\r\n"))
		if err != nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v, %v, want 403 and no 100 Continue", resp, err)
		}
	})
	t.Run("sent anyway", func(t *testing.T) {
		nc, err := dialFrom("127.0.0.1", gw.Ports.API)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetWriteBuffer(16 << 10)
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(nc, header+"\r\n")
		sent := 0
		for sent < 10_000_000 {
			n, err := nc.Write(make([]byte, 64<<10))
			sent += n
			if err != nil {
				break
			}
		}
		if sent >= 10_000_000 {
			t.Errorf("the server took all %d bytes of a body that nobody signed", sent)
		}
	})
	t.Run("without end, in chunks", func(t *testing.T) {
		chunk := "10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
		resp, _, err := send(gw, []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 100)))
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge && resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v, %v, want 413 or 403", resp, err)
		}
	})
}
