package mqttconn

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// testsOfQuotas names the test that runs into each limit: of this package, or behind the folder of another.
var testsOfQuotas = map[int]string{
	quotaConnectAccount:       "TestAccountRates",
	quotaConnectClientID:      "TestConnectRate",
	quotaConnections:          "TestLimitConnections",
	quotaPublishAccount:       "TestAccountRates",
	quotaPublishOutAccount:    "TestLimitPublishOut",
	quotaPublishConnection:    "TestPublishRate",
	quotaThroughput:           "TestThroughput",
	quotaInflightIn:           "TestInflight",
	quotaInflightOut:          "../../broker TestWindow",
	quotaRetry:                "TestNotAcked",
	quotaSubscriptionsAccount: "TestLimitSubscriptionsAccount",
	quotaSubscribeAccount:     "TestAccountRates",
	quotaSubscriptions:        "TestSubscriptionLimit",
	quotaFilters:              "TestSubscribe",
	quotaSessionExpiry:        "../../broker TestSessionExpiry",
	quotaQueued:               "TestMissedMessages",
	quotaSessionQueue:         "../../broker TestQueueBounds",
	quotaSessionBytes:         "../../broker TestQueueBounds",
	quotaSessionDrain:         "../../broker TestDrain",
	quotaClientID:             "TestConnectRefused",
	quotaTopic:                "TestPublishRefused",
	quotaSlashes:              "TestPublishRefused",
	quotaPayload:              "TestPublishRefused",
	quotaWebSocket:            "TestDisconnectReasons",
	quotaKeepAlive:            "TestKeepAlive",
	quotaRetainAccount:        "TestRetainRates",
	quotaRetainTopic:          "TestRetainRates",
	quotaRetained:             "TestRetainedFull",
	quotaListRetained:         "TestRetainedAPI",
	quotaGetRetained:          "TestRetainedAPI",
	quotaSharedMembers:        "TestLimitSubscriptionsAccount",
	quotaSharedGroups:         "TestLimitSubscriptionsAccount",
	quotaSharedQueue:          "../../broker TestSharedBounds",
	quotaSharedDrain:          "../../broker TestSharedBounds",
	quotaSharedRate:           "TestLimitSubscriptionsAccount",
	quotaTopicAlias:           "TestPublishRefused",
	quotaMessageExpiry:        "TestMessageProperties",
	quotaPacket:               "TestPublishRefused",
	quotaPacketMinimum:        "TestLimitConnectSizes",
	quotaContentType:          "TestPublishRefused",
	quotaCorrelationData:      "TestPublishRefused",
	quotaUserProperties:       "TestLimitConnectSizes",
	quotaPolicySize:           "../../registry TestMalformedPolicy",
	quotaPolicies:             "../../registry TestPolicyLimits",
	quotaPolicyVersions:       "../../registry TestPolicyVersions",
	quotaCAs:                  "../../registry TestCAsOfOneSubject",
}

// tableOfQuotas is the table as docs/mqtt.md shows it.
func tableOfQuotas() string {
	var b strings.Builder
	b.WriteString("| limit | code | `aws` | `open` | adjustable at AWS | what is recorded | metric |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, q := range quotas {
		figure := func(n int64) string {
			switch {
			case n == 0:
				return "none"
			case q.unit == "":
				return grouped(n)
			}
			return grouped(n) + " " + q.unit
		}
		by := q.where
		if q.check != nil {
			by = fmt.Sprintf("[%s](checks/%s.md)", q.check.Code, q.check.Code)
		}
		adjustable := "no"
		if q.adjustable {
			adjustable = "yes"
		}
		metric := q.metric
		if metric != "" {
			metric = "`" + metric + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", q.name, q.code, figure(q.aws), figure(q.open), adjustable, by, metric)
	}
	return b.String()
}

func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// tests are the names of the tests here, in the broker and in the registry, as testsOfQuotas has them.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for prefix, folder := range map[string]string{"": ".", "../../broker ": "../../broker", "../../registry ": "../../registry"} {
		files, err := filepath.Glob(folder + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				found[prefix+string(m[1])] = true
			}
		}
	}
	return found
}

// TestQuotaTable holds the table against the checks and the page, and each profile against the sheet.
func TestQuotaTable(t *testing.T) {
	known, codes := tests(t), map[string]string{}
	for row, q := range quotas {
		if q.name == "" {
			t.Errorf("row %d is empty", row)
		}
		if q.aws == 0 {
			t.Errorf("%s: no figure", q.name)
		}
		if test := testsOfQuotas[row]; !known[test] {
			t.Errorf("%s: there is no test %q", q.name, test)
		}
		if q.code != "" && !regexp.MustCompile(`^L-[0-9A-F]{8}$`).MatchString(q.code) {
			t.Errorf("%s: code %q", q.name, q.code)
		}
		if other := codes[q.code]; q.code != "" && other != "" {
			t.Errorf("%s and %s have the code %s", q.name, other, q.code)
		}
		codes[q.code] = q.name
		if (q.check == nil) == (q.where == "") {
			t.Errorf("%s: has a check and a place, or neither", q.name)
		}
		if q.check != nil {
			if c, ok := check.Lookup(q.check.Code); !ok || c != q.check {
				t.Errorf("%s: the check %s is not in the catalogue", q.name, q.check.Code)
			}
		}
		if q.open != 0 && q.open < q.aws {
			t.Errorf("%s: open allows less (%d) than aws (%d)", q.name, q.open, q.aws)
		}
	}
	golden.Table(t, "../../../docs/mqtt.md", tableOfQuotas())
}
