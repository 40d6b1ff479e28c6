package gateway

import (
	"bufio"
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// TestCustomRequests: what a custom authorizer may not decide on, over HTTPS.
// Source: custom-auth sheet 4; PROBLEMS J-07.
func TestCustomRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		host, method, path string
		header             map[string]string
		want               *check.Check
	}{
		"no publish":                       {endpointHost, "GET", "/things/t/shadow", map[string]string{"X-Amz-Customauthorizer-Name": "a"}, check.AuthorizerPublishOnly},
		"SigV4 on an authorizer's domain":  {"custom.gatehouse.test", "POST", "/topics/a", map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=x"}, check.AuthorizerSigV4Mixed},
		"nobody on an authorizer's domain": {"custom.gatehouse.test", "POST", "/topics/a", nil, check.AuthorizerNotSelected},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				if err := c.Endpoints.Replace(Endpoint{Name: "fleet", Host: "custom.gatehouse.test", AuthenticationType: "CUSTOM_AUTH", ApplicationProtocol: "HTTPS"}); err != nil {
					t.Fatal(err)
				}
			})
			tc, err := tls.Dial("tcp", r.addr[DoorALPN], clientConfig(tls.VersionTLS13, tt.host))
			if err != nil {
				t.Fatal(err)
			}
			defer tc.Close()
			tc.SetDeadline(time.Now().Add(10 * time.Second))
			req, err := http.NewRequest(tt.method, "https://"+tt.host+tt.path, nil)
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
			resp, err := http.ReadResponse(bufio.NewReader(tc), req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-Amzn-Errortype") != "ForbiddenException:" {
				t.Errorf("answer %s %v", resp.Status, resp.Header)
			}
			rec := r.record()
			if rec.Code != tt.want.Code {
				t.Errorf("refused by %s, want %s", rec.Code, tt.want)
			}
		})
	}
}
