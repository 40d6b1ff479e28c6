package policy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	testARN    = `arn:aws:iot:us-east-1:123456789012:`
	testRegion = "us-east-1"
	testOwner  = "123456789012"
)

// allow returns a document with one statement.
func allow(action, resource string, condition ...string) string {
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"`
	for _, c := range condition {
		text += `,"Condition":` + c
	}
	return text + `}]}`
}

func deny(action, resource string, condition ...string) string {
	return strings.Replace(allow(action, resource, condition...), `"Allow"`, `"Deny"`, 1)
}

// device is an attached thing on MQTT.
func device() *Context {
	return &Context{
		Region: testRegion, Account: testOwner, ClientID: "dev-7",
		Thing: &Thing{Name: "dev-7", Attached: true, Type: "pump", Attributes: map[string]string{"site": "plant/1", "x,y": "z"}},
	}
}

type ask struct {
	action Action
	name   string
	want   Effect
}

func checkAll(t *testing.T, ctx *Context, docs []string, asks ...ask) {
	t.Helper()
	b := compileTexts(t, docs...).Bind(ctx)
	for _, a := range asks {
		if got := b.Decide(a.action, a.name); got != a.want {
			t.Errorf("%v\nDecide(%s, %q) = %v, want %v", docs, a.action, a.name, got, a.want)
		}
		if d := b.Explain(a.action, a.name); d.Effect != a.want {
			t.Errorf("%v\nExplain(%s, %q) = %v, want %v", docs, a.action, a.name, d.Effect, a.want)
		}
	}
}

// TestTopicFilterTable is the table of policy sheet 6.2.
func TestTopicFilterTable(t *testing.T) {
	for _, tt := range []struct {
		resource, filter string
		want             Effect
	}{
		{"topicfilter/plant/*", "plant/#", Allow},
		{"topicfilter/plant/*", "plant/+/temp", Allow},
		{"topicfilter/plant/+/temp", "plant/+/temp", Allow},
		{"topicfilter/plant/+/temp", "plant/l1/temp", ImplicitDeny},
		{"topicfilter/plant/#", "plant/l1", ImplicitDeny},
		{"topicfilter/plant/line?", "plant/line7", Allow},
		{"topicfilter/plant/line?", "plant/line12", ImplicitDeny},
		{"topicfilter/plant/*", "plant", ImplicitDeny},
		{"topicfilter/plant/*", "#", ImplicitDeny},
		{"topicfilter/*", "#", Allow},
		{"topicfilter/#", "#", Allow},
		{"topicfilter/a", "$share/g/a", ImplicitDeny},
		{"topicfilter/$share/g/a", "$share/g/a", Allow},
	} {
		checkAll(t, device(), []string{allow("iot:Subscribe", testARN+tt.resource)}, ask{Subscribe, tt.filter, tt.want})
	}
}

// TestMatching is policy sheet 6.1.
func TestMatching(t *testing.T) {
	for name, tt := range map[string]struct {
		resource string
		asks     []ask
	}{
		"star crosses slashes":       {testARN + "topic/a/*/z", []ask{{Publish, "a/b/c/z", Allow}, {Publish, "a//z", Allow}, {Publish, "a/z", ImplicitDeny}}},
		"star may be empty":          {testARN + "topic/a*", []ask{{Publish, "a", Allow}, {Publish, "ab/c", Allow}, {Publish, "b", ImplicitDeny}}},
		"question is one character":  {testARN + "topic/a?c", []ask{{Publish, "a/c", Allow}, {Publish, "aéc", Allow}, {Publish, "ac", ImplicitDeny}, {Publish, "abbc", ImplicitDeny}}},
		"case counts":                {testARN + "topic/A", []ask{{Publish, "a", ImplicitDeny}, {Publish, "A", Allow}}},
		"star spans types":           {testARN + "topic*", []ask{{Publish, "x", Allow}, {Subscribe, "x/#", Allow}, {Connect, "x", ImplicitDeny}}},
		"the whole account":          {testARN + "*", []ask{{Publish, "x", Allow}, {Connect, "dev-7", Allow}, {Subscribe, "#", Allow}}},
		"everything":                 {"*", []ask{{Publish, "x", Allow}, {ListRetainedMessages, "", Allow}}},
		"star in region alone":       {"arn:aws:iot:*:999999999999:topic/x", []ask{{Publish, "x", ImplicitDeny}}},
		"star stays in its part":     {"arn:aws:iot:us-*:topic/x:topic/x", []ask{{Publish, "x", ImplicitDeny}}},
		"star in region and account": {"arn:aws:iot:*:*:topic/x", []ask{{Publish, "x", Allow}}},
		"partition":                  {"arn:aws-cn:iot:us-east-1:123456789012:topic/x", []ask{{Publish, "x", ImplicitDeny}}},
		"partition star":             {"arn:aws*:iot:us-east-1:123456789012:topic/x", []ask{{Publish, "x", Allow}}},
		"short ARN":                  {"arn:aws:iot:*", []ask{{Publish, "x", Allow}}},
		"short ARN after region":     {"arn:aws:iot:us-east-1:*", []ask{{Publish, "x", Allow}}},
		"colons in the name":         {testARN + "topic/a:b:c", []ask{{Publish, "a:b:c", Allow}}},
		"wrong type":                 {testARN + "topic/x", []ask{{Subscribe, "x", ImplicitDeny}}},
		"other service":              {"arn:aws:greengrass:us-east-1:123456789012:topic/x", []ask{{Publish, "x", ImplicitDeny}}},
		"reserved topics":            {testARN + "topic/$aws/things/dev-7/shadow/update", []ask{{Publish, "$aws/things/dev-7/shadow/update", Allow}}},
		"dollar alone":               {testARN + "topic/a$b$", []ask{{Publish, "a$b$", Allow}}},
		"type with question":         {testARN + "t?pic/x", []ask{{Publish, "x", Allow}, {Subscribe, "x", ImplicitDeny}}},
		"star before the slash":      {testARN + "*/x", []ask{{Publish, "x", Allow}, {Publish, "a/x", Allow}, {Publish, "a", ImplicitDeny}}},
	} {
		t.Run(name, func(t *testing.T) {
			checkAll(t, device(), []string{allow("iot:*", tt.resource)}, tt.asks...)
		})
	}
}

// TestActions is policy sheet 2 and 4.
func TestActions(t *testing.T) {
	for _, tt := range []struct {
		action string
		asks   []ask
	}{
		{"*", []ask{{Publish, "x", Allow}, {GetPendingJobs, "dev-7", Allow}}},
		{"iot:*", []ask{{Publish, "x", Allow}, {GetPendingJobs, "dev-7", ImplicitDeny}}},
		{"iot:publish", []ask{{Publish, "x", Allow}}},
		{"iot:*Publish", []ask{{Publish, "x", Allow}, {RetainPublish, "x", Allow}, {Receive, "x", ImplicitDeny}}},
		{"iot:?ublish", []ask{{Publish, "x", Allow}, {RetainPublish, "x", ImplicitDeny}}},
		{"iot:GetPendingJobExecutions", []ask{{GetPendingJobs, "dev-7", ImplicitDeny}}},
		{"iotjobsdata:*", []ask{{GetPendingJobs, "dev-7", Allow}, {UpdateJobExecution, "dev-7", Allow}}},
		{"io*", []ask{{Publish, "x", ImplicitDeny}}},
		{"Publish", []ask{{Publish, "x", ImplicitDeny}}},
		{"iot:RetainPublish", []ask{{Publish, "x", ImplicitDeny}, {RetainPublish, "x", Allow}}},
		{"iot:DescribeEndpoint", []ask{{"iot:DescribeEndpoint", "x", Allow}, {Publish, "x", ImplicitDeny}}},
	} {
		checkAll(t, device(), []string{allow(tt.action, "*")}, tt.asks...)
	}
	not := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":["iot:Publish","iot:Re*"],"Resource":"*"}}`
	checkAll(t, device(), []string{not}, ask{Publish, "x", ImplicitDeny}, ask{Receive, "x", ImplicitDeny}, ask{Connect, "x", Allow}, ask{"s3:GetObject", "x", Allow})
	checkAll(t, device(), []string{allow("iot:ListRetainedMessages", testARN+"*")}, ask{ListRetainedMessages, "", ImplicitDeny})
	for _, a := range Actions() {
		if a.index() == unknownAction || actionTable[a.index()].action != a {
			t.Errorf("index of %s is %d", a, a.index())
		}
	}
}

// TestVariables is policy sheet 7.
func TestVariables(t *testing.T) {
	http := device()
	http.Protocol = HTTP
	other := device()
	other.ClientID = "other"
	exclusive := device()
	exclusive.ClientID, exclusive.Thing.Exclusive = "other", true
	loose := device()
	loose.Thing.Attached = false
	stars := device()
	stars.ClientID = "*"
	vars := device()
	vars.ClientID = "${iot:DomainName}"
	vars.DomainName = "d"
	plus := device()
	plus.ClientID = "+"
	provider := &Context{Region: testRegion, Account: testOwner, Protocol: Credentials, Thing: &Thing{Name: "dev-7", Attached: true}}
	cert := device()
	cert.Certificate = &Certificate{
		ID: "c0ffee", SerialNumber: "2587", Subject: map[string][]string{
			"CommonName": {"a=b", "two", "three", "four", "five", "six"}, "Title": {"x*y"}, "Surname": {strings.Repeat("n", 1025)}, "Initials": {strings.Repeat("n", 1024)},
		},
		SubjectAltName: map[string][]string{"DNSName": {"d.example"}, "DirectoryName": {"cn=LightBulbCert,ou=SmartHome,o=IoT,c=US"}},
		Issuer:         map[string][]string{"OrganizationalUnit": {"Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US"}},
	}
	ip := device()
	ip.SourceIP, ip.DomainName, ip.CognitoID = netip.MustParseAddr("::ffff:10.1.2.3"), "iot.example", "us-east-1:1"
	vpc := device()
	vpc.SourceIP, vpc.SourceVPCE, vpc.VPCSourceIP = netip.MustParseAddr("10.1.2.3"), "vpce-1", netip.MustParseAddr("172.16.0.1")

	for name, tt := range map[string]struct {
		ctx      *Context
		resource string
		topic    string
		want     Effect
	}{
		"client ID":                      {device(), "${iot:ClientId}/x", "dev-7/x", Allow},
		"names fold":                     {device(), "${IOT:clientid}/x", "dev-7/x", Allow},
		"client ID over HTTP":            {http, "${iot:ClientId}/x", "dev-7/x", ImplicitDeny},
		"thing name":                     {device(), "${iot:Connection.Thing.ThingName}", "dev-7", Allow},
		"thing name over HTTP":           {http, "${iot:Connection.Thing.ThingName}", "dev-7", ImplicitDeny},
		"thing name, other client ID":    {other, "${iot:Connection.Thing.ThingName}", "dev-7", ImplicitDeny},
		"exclusive thing":                {exclusive, "${iot:Connection.Thing.ThingName}", "dev-7", Allow},
		"thing not attached":             {loose, "${iot:Connection.Thing.ThingName}", "dev-7", ImplicitDeny},
		"attached is false then":         {loose, "${iot:Connection.Thing.IsAttached}", "false", Allow},
		"attached is true":               {device(), "${iot:Connection.Thing.IsAttached}", "true", Allow},
		"thing at credentials provider":  {provider, "${iot:Connection.Thing.ThingName}", "dev-7", Allow},
		"thing type":                     {device(), "${iot:Connection.Thing.ThingTypeName}", "pump", Allow},
		"attribute":                      {device(), "${iot:Connection.Thing.Attributes[site]}/x", "plant/1/x", Allow},
		"attribute with a comma":         {device(), "${iot:Connection.Thing.Attributes[x,y]}", "z", Allow},
		"attribute in other case":        {device(), "${iot:Connection.Thing.Attributes[Site]}/x", "plant/1/x", ImplicitDeny},
		"attribute missing":              {device(), "${iot:Connection.Thing.Attributes[none]}", "", ImplicitDeny},
		"legacy":                         {device(), "${iot:Thing.ThingName}", "dev-7", ImplicitDeny},
		"unknown":                        {device(), "${iot:Nope}*", "${iot:Nope}", ImplicitDeny},
		"values are literal: star":       {stars, "${iot:ClientId}", "anything", ImplicitDeny},
		"values are literal: star, same": {stars, "${iot:ClientId}", "*", Allow},
		"values are literal: variables":  {vars, "${iot:ClientId}", "d", ImplicitDeny},
		"values are literal: plus":       {plus, "a/${iot:ClientId}/b", "a/x/b", ImplicitDeny},
		"escaped star":                   {device(), "a${*}", "a*", Allow},
		"escaped star is no wildcard":    {device(), "a${*}", "ab", ImplicitDeny},
		"escaped question":               {device(), "a${?}", "a?", Allow},
		"escaped dollar is not scanned":  {device(), "price/${$}{x}", "price/${x}", Allow},
		"round brackets are plain":       {device(), "a$(*)", "a$(bc)", Allow},
		"default unused":                 {device(), "${iot:ClientId, 'df'}", "dev-7", Allow},
		"default used":                   {device(), "${iot:DomainName, 'df'}/x", "df/x", Allow},
		"default with a brace":           {device(), "${iot:DomainName,'}'}", "}", Allow},
		"default is literal":             {device(), "${iot:DomainName, '*'}", "x", ImplicitDeny},
		"certificate ID":                 {cert, "${iot:CertificateId}", "c0ffee", Allow},
		"serial number is decimal":       {cert, "${iot:Certificate.SerialNumber}", "2587", Allow},
		"escaped value":                  {cert, "${iot:Certificate.Subject.CommonName}", `a\=b`, Allow},
		"suffix 1 is the second":         {cert, "${iot:Certificate.Subject.CommonName.1}", "two", Allow},
		"suffix 4 is the fifth":          {cert, "${iot:Certificate.Subject.CommonName.4}", "five", Allow},
		"the sixth does not count":       {cert, "${iot:Certificate.Subject.CommonName.5}", "six", ImplicitDeny},
		"index 0":                        {cert, "${iot:Certificate.Subject.CommonName.0}", `a\=b`, ImplicitDeny},
		"wildcards are not inserted":     {cert, "${iot:Certificate.Subject.Title}", "x*y", ImplicitDeny},
		"but the text stays":             {cert, "${iot:Certificate.Subject.Title}", "${iot:Certificate.Subject.Title}", Allow},
		"long values are not inserted":   {cert, "${iot:Certificate.Subject.Surname}", strings.Repeat("n", 1025), ImplicitDeny},
		"1024 characters are":            {cert, "${iot:Certificate.Subject.Initials}", strings.Repeat("n", 1024), Allow},
		"missing attribute":              {cert, "${iot:Certificate.Subject.Country}", "", ImplicitDeny},
		"locality is not available":      {cert, "${iot:Certificate.Subject.Locality}", "", ImplicitDeny},
		"alternative name":               {cert, "${iot:Certificate.Subject.AlternativeName.DNSName}", "d.example", Allow},
		"directory name":                 {cert, "${iot:Certificate.Subject.AlternativeName.DirectoryName}", "cn=LightBulbCert,ou=SmartHome,o=IoT,c=US", Allow},
		"AWS's issuer":                   {cert, "${iot:Certificate.Issuer.OrganizationalUnit}", `Amazon Web Services O\=Amazon.com Inc. L\=Seattle ST\=Washington C\=US`, Allow},
		"a list is no text":              {cert, "${iot:Certificate.Subject.CommonName.List}", `a\=b`, ImplicitDeny},
		"no certificate":                 {device(), "${iot:CertificateId}", "", ImplicitDeny},
		"source address":                 {ip, "${aws:SourceIp}", "10.1.2.3", Allow},
		"domain name":                    {ip, "${iot:DomainName}", "iot.example", Allow},
		"Cognito":                        {ip, "${cognito-identity.amazonaws.com:sub}", "us-east-1:1", Allow},
		"no source address in a VPC":     {vpc, "${aws:SourceIp}", "10.1.2.3", ImplicitDeny},
		"VPC":                            {vpc, "${aws:SourceVpce}-${aws:VpcSourceIp}", "vpce-1-172.16.0.1", Allow},
	} {
		t.Run(name, func(t *testing.T) {
			checkAll(t, tt.ctx, []string{allow("iot:Publish", testARN+"topic/"+tt.resource)}, ask{Publish, tt.topic, tt.want})
		})
	}
}

// TestUnresolved is the table of policy sheet 7.7, and the version rule of sheet 2.
func TestUnresolved(t *testing.T) {
	ctx := device()
	list := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":["` + testARN + `topic/${iot:DomainName}","` + testARN + `topic/b"]}}`
	checkAll(t, ctx, []string{list}, ask{Publish, "b", Allow}, ask{Publish, "a", ImplicitDeny})
	not := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:Publish","NotResource":"` + testARN + `topic/${iot:DomainName}"}}`
	checkAll(t, ctx, []string{allow("*", "*"), not}, ask{Publish, "b", ExplicitDeny})
	checkAll(t, ctx, []string{allow("*", "*"), deny("iot:Publish", testARN+"topic/${iot:DomainName}")}, ask{Publish, "b", Allow})
	checkAll(t, ctx, []string{allow("iot:Publish", "*", `{"StringEquals":{"iot:ClientId":"${iot:DomainName}"}}`)}, ask{Publish, "b", ImplicitDeny})
	checkAll(t, ctx, []string{allow("iot:Publish", "*", `{"StringNotEquals":{"iot:ClientId":"${iot:DomainName}"}}`)}, ask{Publish, "b", Allow})
	for _, version := range []string{`"Version":"2008-10-17",`, ""} {
		old := strings.Replace(allow("iot:Publish", testARN+"topic/${iot:ClientId}"), `"Version":"2012-10-17",`, version, 1)
		checkAll(t, ctx, []string{old}, ask{Publish, "dev-7", ImplicitDeny}, ask{Publish, "${iot:ClientId}", Allow})
	}
}

// TestConditions is policy sheet 9, operator by operator.
func TestConditions(t *testing.T) {
	ctx := device()
	ctx.ConnectAttributes = []string{LastWill}
	ctx.LastWillTopic = "will/dev-7"
	ctx.SourceIP = netip.MustParseAddr("10.1.2.3")
	ctx.SecureTransport = new(bool)
	ctx.Now = func() time.Time { return time.Unix(1_800_000_000, 0) } // 2027-01-15T08:00:00Z
	ctx.Certificate = &Certificate{ID: "c0ffee", SerialNumber: "12345678901234567890123", Subject: map[string][]string{"Organization": {"o1", "o2"}}}
	clean := *ctx
	clean.ConnectAttributes, clean.LastWillTopic = []string{}, ""
	for _, tt := range []struct {
		condition string
		ctx       *Context
		want      bool
	}{
		{`{}`, ctx, true},
		{`{"StringEquals":{"iot:ClientId":"dev-7"}}`, ctx, true},
		{`{"StringEquals":{"IOT:CLIENTID":["x","dev-7"]}}`, ctx, true},
		{`{"StringEquals":{"iot:ClientId":"DEV-7"}}`, ctx, false},
		{`{"StringEquals":{"iot:ClientId":"dev-*"}}`, ctx, false},
		{`{"StringEquals":{"iot:ClientId":"${iot:Connection.Thing.ThingName}"}}`, ctx, true},
		{`{"StringNotEquals":{"iot:ClientId":["a","b"]}}`, ctx, true},
		{`{"StringNotEquals":{"iot:ClientId":["a","dev-7"]}}`, ctx, false},
		{`{"StringEqualsIgnoreCase":{"iot:ClientId":"DEV-7"}}`, ctx, true},
		{`{"StringNotEqualsIgnoreCase":{"iot:ClientId":"DEV-7"}}`, ctx, false},
		{`{"StringLike":{"iot:ClientId":"dev-?"}}`, ctx, true},
		{`{"StringLike":{"iot:ClientId":"d*"}}`, ctx, true},
		{`{"StringLike":{"iot:ClientId":"D*"}}`, ctx, false},
		{`{"StringLike":{"iot:ClientId":"d${*}"}}`, ctx, false},
		{`{"StringNotLike":{"iot:ClientId":"d*"}}`, ctx, false},
		{`{"StringEquals":{"iot:ClientId":"dev-7","iot:CertificateId":"no"}}`, ctx, false},                      // keys: and
		{`{"StringEquals":{"iot:ClientId":"dev-7"},"StringLike":{"iot:ClientId":"x"}}`, ctx, false},             // operators: and
		{`{"StringEquals":{"iot:DomainName":"x"}}`, ctx, false},                                                 // missing, positive
		{`{"StringNotEquals":{"iot:DomainName":"x"}}`, ctx, true},                                               // missing, negated
		{`{"StringEqualsIfExists":{"iot:DomainName":"x"}}`, ctx, true},                                          // missing, IfExists
		{`{"StringEqualsIfExists":{"iot:ClientId":"x"}}`, ctx, false},                                           // present, IfExists
		{`{"ForAnyValue:StringNotEquals":{"iot:DomainName":"x"}}`, ctx, false},                                  // missing, ForAnyValue
		{`{"ForAllValues:StringEquals":{"iot:DomainName":"x"}}`, ctx, true},                                     // missing, ForAllValues
		{`{"NumericEquals":{"iot:Certificate.SerialNumber":12345678901234567890123}}`, ctx, true},               // exact beyond float64
		{`{"NumericEquals":{"iot:Certificate.SerialNumber":12345678901234567890124}}`, ctx, false},              //
		{`{"NumericNotEquals":{"iot:Certificate.SerialNumber":"1"}}`, ctx, true},                                //
		{`{"NumericLessThan":{"iot:Certificate.SerialNumber":"12345678901234567890123"}}`, ctx, false},          //
		{`{"NumericLessThanEquals":{"iot:Certificate.SerialNumber":"12345678901234567890123.0"}}`, ctx, true},   //
		{`{"NumericGreaterThan":{"iot:Certificate.SerialNumber":"1e3"}}`, ctx, true},                            //
		{`{"NumericGreaterThanEquals":{"iot:Certificate.SerialNumber":"1e1000000000"}}`, ctx, false},            // refused, not computed
		{`{"NumericEquals":{"iot:ClientId":"7"}}`, ctx, false},                                                  // no number
		{`{"DateLessThan":{"aws:CurrentTime":"2027-01-15T08:00:01Z"}}`, ctx, true},                              //
		{`{"DateLessThan":{"aws:CurrentTime":"2027-01-15T08:00:00Z"}}`, ctx, false},                             //
		{`{"DateEquals":{"aws:CurrentTime":"2027-01-15T09:00:00+01:00"}}`, ctx, true},                           //
		{`{"DateGreaterThanEquals":{"aws:CurrentTime":"1800000000"}}`, ctx, true},                               // epoch seconds
		{`{"DateGreaterThan":{"aws:EpochTime":"2027-01-15"}}`, ctx, true},                                       //
		{`{"DateNotEquals":{"aws:EpochTime":"1800000000"}}`, ctx, false},                                        //
		{`{"DateLessThanEquals":{"aws:EpochTime":1800000000}}`, ctx, true},                                      //
		{`{"NumericGreaterThan":{"aws:EpochTime":1}}`, ctx, true},                                               //
		{`{"Bool":{"iot:Connection.Thing.IsAttached":"TRUE"}}`, ctx, true},                                      //
		{`{"Bool":{"iot:Connection.Thing.IsAttached":[true]}}`, ctx, true},                                      //
		{`{"Bool":{"iot:Connection.Thing.IsAttached":"false"}}`, ctx, false},                                    //
		{`{"Bool":{"aws:SecureTransport":"false"}}`, ctx, true},                                                 //
		{`{"BinaryEquals":{"iot:ClientId":"ZGV2LTc="}}`, ctx, true},                                             //
		{`{"BinaryEquals":{"iot:ClientId":"dev-7"}}`, ctx, false},                                               //
		{`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, ctx, true},                                              //
		{`{"IpAddress":{"aws:SourceIp":["192.168.0.0/16","10.1.2.3"]}}`, ctx, true},                             //
		{`{"IpAddress":{"aws:SourceIp":"10.1.2.4"}}`, ctx, false},                                               //
		{`{"IpAddress":{"aws:SourceIp":"::/0"}}`, ctx, false},                                                   //
		{`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, ctx, false},                                          //
		{`{"NotIpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}`, ctx, true},                                        // missing, negated
		{`{"ArnLike":{"iot:LastWillTopic":"` + testARN + `topic/will/*"}}`, ctx, true},                          //
		{`{"ArnEquals":{"iot:LastWillTopic":"` + testARN + `topic/will/${iot:ClientId}"}}`, ctx, true},          //
		{`{"ArnEquals":{"iot:LastWillTopic":"arn:aws:iot:*:*:topic/*"}}`, ctx, true},                            //
		{`{"ArnLike":{"iot:LastWillTopic":"arn:aws:iot:us*topic/will/dev-7:1:2"}}`, ctx, false},                 // a star stays in its part
		{`{"ArnNotLike":{"iot:LastWillTopic":"arn:aws:iot:*:*:topic/other"}}`, ctx, true},                       //
		{`{"ArnNotEquals":{"iot:LastWillTopic":"arn:aws:iot:*:*:topic/will/*"}}`, ctx, false},                   //
		{`{"StringEquals":{"iot:LastWillTopic":"` + testARN + `topic/will/dev-7"}}`, ctx, true},                 //
		{`{"ArnLike":{"iot:LastWillTopic":"*"}}`, &clean, false},                                                //
		{`{"Null":{"iot:LastWillTopic":"true"}}`, &clean, true},                                                 //
		{`{"Null":{"iot:LastWillTopic":"false"}}`, ctx, true},                                                   //
		{`{"Null":{"iot:LastWillTopic":"true"}}`, ctx, false},                                                   //
		{`{"Null":{"iot:ConnectAttributes":"false"}}`, &clean, true},                                            // present with no values
		{`{"Null":{"iot:Certificate.Subject.Organization":"false"}}`, ctx, true},                                //
		{`{"Null":{"iot:Certificate.Subject.Country":"false"}}`, ctx, false},                                    //
		{`{"ForAllValues:StringEquals":{"iot:ConnectAttributes":["PersistentConnect","LastWill"]}}`, ctx, true}, // only from the list
		{`{"ForAllValues:StringEquals":{"iot:ConnectAttributes":["PersistentConnect"]}}`, ctx, false},           //
		{`{"ForAllValues:StringEquals":{"iot:ConnectAttributes":["PersistentConnect"]}}`, &clean, true},         //
		{`{"ForAllValues:StringEquals":{"iot:ConnectAttributes":[]}}`, &clean, true},                            // no feature at all
		{`{"ForAllValues:StringEquals":{"iot:ConnectAttributes":[]}}`, ctx, false},                              //
		{`{"ForAnyValue:StringEquals":{"iot:ConnectAttributes":["LastWill"]}}`, ctx, true},                      //
		{`{"ForAnyValue:StringEquals":{"iot:ConnectAttributes":["LastWill"]}}`, &clean, false},                  //
		{`{"ForAllValues:StringNotEquals":{"iot:ConnectAttributes":["PersistentConnect"]}}`, ctx, true},         //
		{`{"ForAllValues:StringNotEquals":{"iot:ConnectAttributes":["LastWill"]}}`, ctx, false},                 //
		{`{"ForAnyValue:StringNotEquals":{"iot:Certificate.Subject.Organization.List":["o1"]}}`, ctx, true},     //
		{`{"ForAnyValue:StringNotEquals":{"iot:Certificate.Subject.Organization.List":["o1","o2"]}}`, ctx, false},
		{`{"StringEquals":{"iot:ConnectAttributes":"LastWill"}}`, ctx, true},     // plain on many: as ForAnyValue
		{`{"StringEquals":{"iot:ConnectAttributes":"LastWill"}}`, &clean, false}, //
		{`{"ForAnyValue:StringEquals":{"iot:Certificate.AvailableKeys":["iot:Certificate.Subject.Organization"]}}`, ctx, true},
		{`{"StringEquals":{"iot:Certificate.Subject.Organization.1":"o2"}}`, ctx, true},
		{`{"StringEquals":{"iot:Unknown":"x"}}`, ctx, false},
	} {
		want := ImplicitDeny
		if tt.want {
			want = Allow
		}
		checkAll(t, tt.ctx, []string{allow("iot:Connect", "*", tt.condition)}, ask{Connect, "dev-7", want})
	}
	// Keys of the CONNECT are absent from everything else.
	checkAll(t, ctx, []string{allow("iot:Publish", "*", `{"Null":{"iot:LastWillTopic":"true","iot:ConnectAttributes":"true"}}`)}, ask{Publish, "x", Allow})
}

// TestClock: a decision that depends on the time is made anew, also by the cache.
func TestClock(t *testing.T) {
	now := time.Unix(100, 0)
	ctx := device()
	ctx.Now = func() time.Time { return now }
	c := NewCache(compileTexts(t, allow("iot:Publish", "*", `{"NumericLessThan":{"aws:EpochTime":200}}`)).Bind(ctx), 0)
	if got := c.Decide(Publish, "a"); got != Allow {
		t.Errorf("before: %v, want ALLOWED", got)
	}
	now = time.Unix(300, 0)
	if got := c.Decide(Publish, "a"); got != ImplicitDeny {
		t.Errorf("after: %v, want IMPLICIT_DENY", got)
	}
}

// TestEvaluation is policy sheet 10, 8.3 and 9.5.
func TestEvaluation(t *testing.T) {
	checkAll(t, device(), nil, ask{Connect, "dev-7", ImplicitDeny})
	all := allow("*", "*")
	checkAll(t, device(), []string{all, deny("iot:Publish", testARN+"topic/secret/*")}, ask{Publish, "secret/a", ExplicitDeny}, ask{Publish, "a", Allow})
	persistent := device()
	persistent.ConnectAttributes = []string{PersistentConnect}
	noPersistence := deny("iot:Connect", "*", `{"ForAnyValue:StringEquals":{"iot:ConnectAttributes":["PersistentConnect"]}}`)
	checkAll(t, persistent, []string{all, noPersistence}, ask{Connect, "dev-7", ExplicitDeny})
	checkAll(t, device(), []string{all, noPersistence}, ask{Connect, "dev-7", Allow})

	parse := func(text string) *Document { return compileTexts(t, text).Policies()[0].Doc }
	docs := []Named{{Name: "own", Source: SourceCertificate, Doc: parse(all)}, {Name: "group", Source: SourceGroup + "g", Doc: parse(deny("iot:Publish", "*"))}}
	if got := Compile(docs...).Bind(device()).Decide(Publish, "a"); got != ExplicitDeny {
		t.Errorf("group deny on the thing's connection: %v", got)
	}
	other := device()
	other.ClientID = "other"
	b := Compile(docs...).Bind(other)
	if got := b.Decide(Publish, "a"); got != Allow {
		t.Errorf("group deny on another client ID: %v, want ALLOWED: the device steps around it", got)
	}
	if w := b.Explain(Publish, "a").Warnings; len(w) != 1 || w[0].Code != CodeGroupNotApplied {
		t.Errorf("warnings %+v, want %s", w, CodeGroupNotApplied)
	}
}

// TestDetectors is policy sheet 16 and PROBLEMS E and G: the code of the
// decision and of the closest statement.
func TestDetectors(t *testing.T) {
	unattached := device()
	unattached.Thing.Attached = false
	bare := &Context{Region: testRegion, Account: testOwner, ClientID: "dev-7"}
	assigned := &Context{Region: testRegion, Account: testOwner, ClientID: "7c1f", ClientIDAssigned: true}
	greengrass := &Context{Region: testRegion, Account: testOwner, ClientID: "dev-7#2"}
	http := device()
	http.Protocol = HTTP
	old := strings.Replace(allow("iot:Publish", testARN+"topic/${iot:ClientId}"), "2012", "2008", 1)
	for name, tt := range map[string]struct {
		ctx        *Context
		docs       []string
		action     Action
		name       string
		code, near string
		cause      string // part of the closest miss's cause
	}{
		"no policy":                {bare, nil, Connect, "dev-7", CodeNoneAttached, "", ""},
		"E-01 topic only":          {bare, []string{allow("iot:*", testARN+"topic/test")}, Connect, "dev-7", CodeConnectResourceType, CodeWrongResourceType, "can never match iot:Connect"},
		"E-02 no Connect":          {bare, []string{allow("iot:Publish", "*")}, Connect, "dev-7", CodeConnectNoStatement, "", ""},
		"E-11 account":             {bare, []string{allow("iot:Connect", "arn:aws:iot:us-east-1:999999999999:client/dev-7")}, Connect, "dev-7", CodeAccountMismatch, CodeAccountMismatch, `"999999999999"`},
		"region":                   {bare, []string{allow("iot:Connect", "arn:aws:iot:eu-west-1:123456789012:client/*")}, Connect, "dev-7", CodeRegionMismatch, CodeRegionMismatch, `"eu-west-1"`},
		"partition":                {bare, []string{allow("iot:Connect", "arn:aws-cn:iot:us-east-1:123456789012:client/*")}, Connect, "dev-7", CodePartitionMismatch, CodePartitionMismatch, `"aws-cn"`},
		"E-13 thing not attached":  {unattached, []string{allow("iot:Connect", testARN+"client/${iot:Connection.Thing.ThingName}")}, Connect, "dev-7", CodeVarUndefined, CodeVarUndefined, "not attached"},
		"client ID is no thing":    {bare, []string{allow("iot:Connect", testARN+"client/${iot:Connection.Thing.ThingName}")}, Connect, "dev-7", CodeVarUndefined, CodeVarUndefined, `no thing has the name "dev-7"`},
		"legacy variable":          {device(), []string{allow("iot:Connect", testARN+"client/${iot:Thing.ThingName}")}, Connect, "dev-7", CodeVarUndefined, CodeVarUndefined, "did you mean iot:Connection.Thing.ThingName"},
		"version 2008":             {device(), []string{old}, Publish, "dev-7", CodeVarUndefined, CodeVarUndefined, "2012-10-17"},
		"HTTP":                     {http, []string{allow("iot:Publish", testARN+"topic/${iot:ClientId}")}, Publish, "dev-7", CodeVarUndefined, CodeVarUndefined, "HTTPS request has no client ID"},
		"E-16 Greengrass":          {greengrass, []string{allow("iot:Connect", testARN+"client/dev-7")}, Connect, "dev-7#2", CodeConnectClientID, CodeConnectClientID, "Greengrass adds #n"},
		"E-17 other client ID":     {bare, []string{allow("iot:Connect", testARN+"client/x")}, Connect, "dev-7", CodeConnectClientID, CodeConnectClientID, "client/x"},
		"assigned client ID":       {assigned, []string{allow("iot:Connect", testARN+"client/x")}, Connect, "7c1f", CodeConnectEmpty, CodeConnectClientID, ""},
		"G-01 publish":             {bare, []string{allow("iot:Connect", "*")}, Publish, "a", CodePublish, "", ""},
		"publish elsewhere":        {bare, []string{allow("iot:Publish", testARN+"topic/b")}, Publish, "a", CodePublish, CodeNoMatch, "covers topic/b"},
		"publish on filter":        {bare, []string{allow("iot:Publish", testARN+"topicfilter/a")}, Publish, "a", CodePublishType, CodeWrongResourceType, "it names topicfilter/"},
		"G-03 subscribe on topic":  {bare, []string{allow("iot:Subscribe", testARN+"topic/a")}, Subscribe, "a", CodeSubscribeType, CodeWrongResourceType, "checked against topicfilter/a"},
		"G-04 only Connect":        {bare, []string{allow("iot:Connect", "*")}, Subscribe, "a", CodeSubscribe, "", ""},
		"G-05 receive":             {bare, []string{allow("iot:Subscribe", "*")}, Receive, "a", CodeReceive, "", ""},
		"G-08 # against literal #": {bare, []string{allow("iot:Subscribe", testARN+"topicfilter/a/*")}, Subscribe, "#", CodeSubscribe, CodeFilterBroader, "compared as text"},
		"G-11 retain":              {bare, []string{allow("iot:Publish", "*")}, RetainPublish, "a", CodeRetainPublish, CodeRetainMissing, "iot:RetainPublish"},
		"MQTT wildcard in policy":  {bare, []string{allow("iot:Publish", testARN+"topic/a/+/c")}, Publish, "a/b/c", CodePublish, CodeMQTTWildcard, "plain characters"},
		"MQTT # in policy":         {bare, []string{allow("iot:Publish", testARN+"topic/a/#")}, Publish, "a/b/c", CodePublish, CodeMQTTWildcard, "plain characters"},
		"filter broader":           {bare, []string{allow("iot:Subscribe", testARN+"topicfilter/a/b")}, Subscribe, "a/+", CodeSubscribe, CodeFilterBroader, "compared as text"},
		"case":                     {bare, []string{allow("iot:Publish", testARN+"topic/Plant/*")}, Publish, "plant/x", CodePublish, CodeCase, "case"},
		"leading slash":            {bare, []string{allow("iot:Publish", testARN+"topic/a/b")}, Publish, "/a/b", CodePublish, CodeSlash, "slash"},
		"trailing slash":           {bare, []string{allow("iot:Publish", testARN+"topic/a/b/")}, Publish, "a/b", CodePublish, CodeSlash, "slash"},
		"shared subscription":      {bare, []string{allow("iot:Subscribe", testARN+"topicfilter/a/b")}, Subscribe, "$share/g/a/b", CodeSubscribe, CodeShareForm, "shared subscription"},
		"condition":                {bare, []string{allow("iot:Connect", "*", `{"StringEquals":{"iot:ClientId":"x"}}`)}, Connect, "dev-7", CodeCondition, CodeCondition, `wants "x", the request has iot:ClientId "dev-7"`},
		"condition key absent":     {bare, []string{allow("iot:Connect", "*", `{"StringEquals":{"iot:DomainName":"x"}}`)}, Connect, "dev-7", CodeConditionAbsent, CodeConditionAbsent, "iot:DomainName"},
		"key of another request":   {bare, []string{allow("iot:Publish", "*", `{"ForAnyValue:StringEquals":{"iot:ConnectAttributes":"LastWill"}}`)}, Publish, "a", CodePublish, CodeConditionAbsent, "requests of this kind"},
		"old jobs prefix":          {bare, []string{allow("iot:GetPendingJobExecutions", "*")}, GetPendingJobs, "dev-7", CodePrefixOldJobs, CodePrefixOldJobs, "former name"},
		"explicit deny":            {bare, []string{allow("*", "*"), deny("iot:Publish", "*")}, Publish, "a", CodeExplicitDeny, CodeExplicitDeny, "a deny wins"},
		"list retained":            {bare, []string{allow("iot:ListRetainedMessages", testARN+"topic/*")}, ListRetainedMessages, "", CodeNoMatch, CodeNoMatch, `granted on "*" alone`},
		"no action, rare":          {bare, []string{allow("iot:Publish", "*")}, GetThingShadow, "dev-7", CodeNoAction, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := compileTexts(t, tt.docs...).Bind(tt.ctx).Explain(tt.action, tt.name)
			checkDecision(t, d)
			near, cause := "", ""
			if len(d.Near) > 0 {
				near, cause = d.Near[0].Code, d.Near[0].Cause
			}
			if d.Code != tt.code || near != tt.near || !strings.Contains(cause, tt.cause) {
				t.Errorf("Explain(%s, %q)\n got %s, near %s: %s\nwant %s, near %s: ...%s...", tt.action, tt.name, d.Code, near, cause, tt.code, tt.near, tt.cause)
			}
		})
	}
}

// TestWarningsOfAllowed: doubts about what is allowed. Policy sheet 16.
func TestWarningsOfAllowed(t *testing.T) {
	bare := &Context{Region: testRegion, Account: testOwner, ClientID: "dev-7"}
	for name, tt := range map[string]struct {
		docs   []string
		action Action
		name   string
		want   string
	}{
		"deny skipped":              {[]string{allow("*", "*"), deny("iot:Publish", testARN+"topic/${iot:Connection.Thing.ThingName}/*")}, Publish, "a/b", CodeDenySkipped},
		"deny skipped by condition": {[]string{allow("*", "*"), deny("iot:Publish", "*", `{"StringEquals":{"iot:ClientId":"${iot:DomainName}"}}`)}, Publish, "a/b", CodeDenySkipped},
		"deny elsewhere":            {[]string{allow("*", "*"), deny("iot:Publish", testARN+"topic/x/${iot:Connection.Thing.ThingName}")}, Publish, "a/b", ""},
		"hole":                      {[]string{allow("*", "*"), deny("iot:Subscribe", testARN+"topicfilter/x/secret/*")}, Subscribe, "x/#", CodeSubscribeDenyHole},
		"hole by plus":              {[]string{allow("*", "*"), deny("iot:Subscribe", testARN+"topicfilter/x/secret/*")}, Subscribe, "x/+/y", CodeSubscribeDenyHole},
		"no hole":                   {[]string{allow("*", "*"), deny("iot:Subscribe", testARN+"topicfilter/x/secret/*")}, Subscribe, "y/#", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := compileTexts(t, tt.docs...).Bind(bare).Explain(tt.action, tt.name)
			checkDecision(t, d)
			var got []string
			for _, w := range d.Warnings {
				got = append(got, w.Code)
			}
			if d.Effect != Allow || strings.Join(got, ",") != tt.want {
				t.Errorf("Explain(%s, %q) = %v, warnings %v, want ALLOWED, %s", tt.action, tt.name, d.Effect, got, tt.want)
			}
		})
	}
}

// TestMissing: names are bare and come once. Policy sheet 15.
func TestMissing(t *testing.T) {
	d := compileTexts(t, allow("iot:Connect", testARN+"client/${iot:ClientId}", `{"StringEquals":{"iot:ClientId":"${iot:DomainName}","aws:SourceVpc":"v"}}`)).
		Bind(&Context{Region: testRegion, Account: testOwner}).Explain(Connect, "x")
	want := []string{"iot:ClientId", "iot:DomainName", "aws:SourceVpc"}
	if !slices.Equal(d.Missing, want) {
		t.Errorf("Missing = %v, want %v", d.Missing, want)
	}
}
