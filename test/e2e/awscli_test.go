package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// awsFails runs an AWS CLI command that has to be refused and answers what it printed.
func awsFails(t *testing.T, gw *gatehouseproc.Process, args ...string) string {
	t.Helper()
	stdout, stderr, err := gw.Run(context.Background(), "", "aws", args...)
	if err == nil {
		t.Fatalf("aws %s: succeeded, want a refusal\n%s", strings.Join(args, " "), stdout)
	}
	return stderr
}

func TestAWSCLI(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gw := gatehouseproc.Start(t)

	t.Run("by environment and by --endpoint-url", func(t *testing.T) {
		var byEnv, byFlag struct{ EndpointAddress string }
		gw.JSON(t, &byEnv, "aws", "iot", "describe-endpoint", "--endpoint-type", "iot:Data-ATS")
		gw.JSON(t, &byFlag, "env", "-u", "AWS_ENDPOINT_URL", "aws", "--endpoint-url", gw.APIURL, "iot", "describe-endpoint")
		if byEnv.EndpointAddress != gw.Endpoint || byFlag != byEnv {
			t.Errorf("describe-endpoint: %q by environment, %q by flag, want %q", byEnv, byFlag, gw.Endpoint)
		}
	})
	t.Run("who am I", func(t *testing.T) {
		var id struct{ Account, Arn string }
		gw.JSON(t, &id, "aws", "sts", "get-caller-identity")
		if id.Account != gw.AccountID || !strings.HasPrefix(id.Arn, "arn:aws:iam::"+gw.AccountID+":") {
			t.Errorf("get-caller-identity: %+v", id)
		}
	})
	t.Run("things, pages and tags", func(t *testing.T) {
		for _, name := range []string{"page-1", "page-2", "page-3"} {
			gw.MustRun(t, "aws", "iot", "create-thing", "--thing-name", name, "--attribute-payload", `{"attributes":{"site":"north"}}`)
		}
		var list struct {
			Things []struct{ ThingName string }
		}
		gw.JSON(t, &list, "aws", "iot", "list-things", "--page-size", "1", "--attribute-name", "site", "--attribute-value", "north")
		if len(list.Things) != 3 {
			t.Errorf("list-things by pages of one: %+v, want three", list)
		}
		gw.MustRun(t, "aws", "iot", "create-thing-group", "--thing-group-name", "g1", "--tags", "Key=team,Value=blue")
		var group struct{ ThingGroupArn string }
		gw.JSON(t, &group, "aws", "iot", "describe-thing-group", "--thing-group-name", "g1")
		var tags struct {
			Tags []struct{ Key, Value string }
		}
		gw.JSON(t, &tags, "aws", "iot", "list-tags-for-resource", "--resource-arn", group.ThingGroupArn)
		if len(tags.Tags) != 1 || tags.Tags[0].Value != "blue" {
			t.Errorf("tags of g1: %+v", tags)
		}
	})
	t.Run("certificate from a CSR", func(t *testing.T) {
		gatehouseproc.Need(t, "openssl")
		dir := t.TempDir()
		csr := filepath.Join(dir, "device.csr")
		gw.MustRun(t, "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", filepath.Join(dir, "k"), "-out", csr, "-subj", "/CN=x")
		var cert struct{ CertificateId, CertificatePem string }
		gw.JSON(t, &cert, "aws", "iot", "create-certificate-from-csr", "--certificate-signing-request", "file://"+csr, "--set-as-active")
		pem := filepath.Join(dir, "c.pem")
		if err := os.WriteFile(pem, []byte(cert.CertificatePem), 0o600); err != nil {
			t.Fatal(err)
		}
		sum := gw.MustRun(t, "sh", "-c", "openssl x509 -in "+pem+" -outform DER | sha256sum")
		if !strings.HasPrefix(sum, cert.CertificateId) {
			t.Errorf("certificate ID %s, SHA-256 of the DER form %s", cert.CertificateId, sum)
		}
		// The same request with one byte of its signature changed.
		raw, err := os.ReadFile(csr)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
		last := []byte(lines[len(lines)-2])
		i := len(last) / 2
		if last[i] == 'A' {
			last[i] = 'B'
		} else {
			last[i] = 'A'
		}
		lines[len(lines)-2] = string(last)
		if err := os.WriteFile(csr, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := awsFails(t, gw, "iot", "create-certificate-from-csr", "--certificate-signing-request", "file://"+csr); !strings.Contains(out, "InvalidRequestException") || !strings.Contains(strings.ToLower(out), "signature") {
			t.Errorf("a CSR with a bad signature: %s", out)
		}
	})
	t.Run("refusals name what is wrong", func(t *testing.T) {
		gw.MustRun(t, "aws", "iot", "create-policy", "--policy-name", "p", "--policy-document",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`)
		for name, tt := range map[string]struct {
			args []string
			want []string
		}{
			"trailing comma": {
				[]string{"iot", "create-policy", "--policy-name", "q", "--policy-document", "{\"Version\":\"2012-10-17\",\n\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"iot:Connect\",\"Resource\":\"*\"},]}"},
				[]string{"MalformedPolicyException", "line 2"},
			},
			"policy exists": {
				[]string{"iot", "create-policy", "--policy-name", "p", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`},
				[]string{"ResourceAlreadyExistsException", "Policy cannot be created - name already exists (name=p)"},
			},
			"unknown account": {
				[]string{"iot", "attach-policy", "--policy-name", "p", "--target", "arn:aws:iot:us-east-1:999999999999:cert/" + strings.Repeat("ab", 32)},
				[]string{"999999999999"},
			},
			"unknown certificate": {
				[]string{"iot", "attach-policy", "--policy-name", "p", "--target", "arn:aws:iot:us-east-1:123456789012:cert/" + strings.Repeat("ab", 32)},
				[]string{"ResourceNotFoundException"},
			},
			"invalid thing name": {
				[]string{"iot", "create-thing", "--thing-name", "a b"},
				[]string{"InvalidRequestException", "1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"},
			},
			"not built": {
				[]string{"iot", "list-jobs"},
				[]string{"NotImplementedException", "ListJobs"},
			},
			"not built, data plane": {
				[]string{"iot-data", "get-thing-shadow", "--thing-name", "a", os.DevNull},
				[]string{"NotImplementedException", "GetThingShadow"},
			},
			"endpoint type": {
				[]string{"iot", "describe-endpoint", "--endpoint-type", "iot:Nonsense"},
				[]string{"InvalidRequestException", "iot:Nonsense"},
			},
		} {
			t.Run(name, func(t *testing.T) {
				out := awsFails(t, gw, tt.args...)
				for _, want := range tt.want {
					if !strings.Contains(out, want) {
						t.Errorf("aws %s: %s\nwant it to say %q", strings.Join(tt.args, " "), out, want)
					}
				}
			})
		}
	})
	t.Run("signatures", func(t *testing.T) {
		for name, tt := range map[string]struct{ env, want string }{
			"wrong secret": {"AWS_SECRET_ACCESS_KEY=wrong", "InvalidSignatureException"},
			"unknown key":  {"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "UnrecognizedClientException"},
			"wrong region": {"AWS_DEFAULT_REGION=eu-west-1", "Credential should be scoped to a valid region"},
		} {
			t.Run(name, func(t *testing.T) {
				_, stderr, err := gw.Run(context.Background(), "", "env", tt.env, "AWS_REGION="+map[bool]string{true: "eu-west-1", false: gw.Region}[name == "wrong region"], "aws", "iot", "list-things")
				if err == nil || !strings.Contains(stderr, tt.want) {
					t.Errorf("%s: %v %s, want %s", tt.env, err, stderr, tt.want)
				}
			})
		}
	})
	t.Run("test-authorization", func(t *testing.T) {
		d := gw.AddDevice(t, "auth-1")
		infos, err := json.Marshal([]map[string]any{
			{"actionType": "CONNECT", "resources": []string{"arn:aws:iot:us-east-1:123456789012:client/auth-1"}},
			{"actionType": "PUBLISH", "resources": []string{"arn:aws:iot:us-east-1:123456789012:topic/elsewhere"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			AuthResults []struct{ AuthDecision string }
		}
		gw.JSON(t, &got, "aws", "iot", "test-authorization", "--principal", d.CertificateARN, "--client-id", "auth-1", "--auth-infos", string(infos))
		if len(got.AuthResults) != 2 || got.AuthResults[0].AuthDecision != "ALLOWED" || got.AuthResults[1].AuthDecision != "IMPLICIT_DENY" {
			t.Errorf("test-authorization: %+v", got)
		}
	})
}
