//go:build linux

package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// Nothing secret is printed, not even at the level debug, and what is kept is for
// the owner's eyes only: no private key of a device and no password at all.
func TestSecretsStaySecret(t *testing.T) {
	const (
		password = "pa55word-of-a-device"
		token    = "session-token-of-a-real-account"
		custom   = "token-for-an-authorizer"
	)
	gw := gatehouseproc.Start(t, "--log-level", "debug")
	added := gw.AddDevice(t, "d")
	key, err := os.ReadFile(added.PrivateKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(added.CertificateFile, added.PrivateKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true, ServerName: gw.Endpoint} //nolint:gosec // the test looks at what is logged

	// A device with user name and password, one that is refused, and one whose
	// user name carries a token behind the name of its SDK.
	for _, c := range []struct{ id, user string }{{"d", "user"}, {"someone-else", "user"}, {"d", "?SDK=Go&Version=1&token=" + custom + "&x-amz-customauthorizer-signature=" + custom}} {
		nc, err := dialFrom("127.0.0.1", gw.Ports.MQTT)
		if err != nil {
			t.Fatal(err)
		}
		tc := tls.Client(nc, config)
		tc.SetDeadline(time.Now().Add(5 * time.Second))
		body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0xc2, 0, 60}, text(c.id)...)
		tc.Write(packet(0x10, append(append(body, text(c.user)...), text(password)...)))
		_, _ = tc.Read(make([]byte, 4)) // whatever the answer is
		tc.Close()
		time.Sleep(1100 * time.Millisecond) // a client ID may connect once a second
	}
	// Requests with right and wrong signatures, and with credentials in the query.
	api := gw.IoT()
	if _, err := api.CreateKeysAndCertificate(t.Context(), &iot.CreateKeysAndCertificateInput{SetAsActive: true}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{gw.SecretAccessKey, "wrong"} {
		wrong := iot.New(iot.Options{
			Region: gw.Region, BaseEndpoint: &gw.APIURL, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(gw.AccessKeyID, secret, map[bool]string{true: token}[secret != "wrong"]),
		})
		if _, err := wrong.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("d")}); err == nil {
			t.Error("a wrong signature or session token is accepted")
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gw.APIURL+"/things?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="+gw.AccessKeyID+
		"/"+time.Now().UTC().Format("20060102")+"/us-east-1/iot/aws4_request&X-Amz-Date="+time.Now().UTC().Format("20060102T150405Z")+
		"&X-Amz-SignedHeaders=host&X-Amz-Security-Token="+token+"&X-Amz-Signature="+strings.Repeat("0", 64), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	text, _, _ := gw.Run(context.Background(), "", "gatehouse", "-o", "json", "explain", "--client-id", "d")
	gw.Stop()

	secrets := map[string]string{
		"private key of a device": strings.Split(string(key), "\n")[3], "MQTT password": password,
		"session token": token, "token of an authorizer": custom,
	}
	all := map[string]string{"its API secret": gw.SecretAccessKey}
	maps.Copy(all, secrets)
	for what, secret := range all {
		if len(secret) < 10 {
			t.Fatalf("%s is %q: the test looks for nothing", what, secret)
		}
		for where, content := range map[string]string{"the log": gw.Output(), "explain": text} {
			if strings.Contains(content, secret) {
				t.Errorf("%s shows the %s:\n%s", where, what, lineWith(content, secret))
			}
		}
	}
	if !strings.Contains(gw.Output(), "level=DEBUG") {
		t.Error("nothing was logged at the level debug: the test looks at nothing")
	}
	err = filepath.WalkDir(gw.DataDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		public := strings.HasSuffix(path, ".pem") && !strings.Contains(path, "key")
		if info.Mode().Perm()&0o077 != 0 && !public {
			t.Errorf("%s has mode %v: others may use it", path, info.Mode())
		}
		if e.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for what, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds the %s", path, what)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
