package monitoring

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

// keys knows one access key.
type keys struct{}

func (keys) Lookup(_ context.Context, id string) (api.Credential, bool, error) {
	return api.Credential{SecretAccessKey: "secret", Account: "123456789012", ARN: "arn:aws:iam::123456789012:root"}, id == "AKIAEXAMPLE", nil
}

// world is a store behind the API, and what clients need to call it.
type world struct {
	store  *metrics.Store
	url    string
	client *sdk.Client
	sent   []string // protocols of the requests, as their headers say
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := metrics.Open(metrics.Config{File: filepath.Join(t.TempDir(), "metrics.log"), MaxSeries: 1200})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := api.NewServer(api.Config{
		Services: []*api.Service{New(Handlers{Store: store, Now: time.Now})}, Credentials: keys{}, Region: "us-east-1", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: store}
	hs := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.sent = append(w.sent, r.Header.Get("Smithy-Protocol")+r.Header.Get("X-Amz-Target")+r.Header.Get("Content-Encoding"))
		srv.ServeHTTP(rw, r)
	}))
	w.url = hs.URL
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		hs.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.client = sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &hs.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
		RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: transport}, RequestMinCompressSizeBytes: 1 << 10,
	})
	return w
}

// code is the error code that the SDK read.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

// put puts values of a metric, each n minutes ago.
func (w *world) put(t *testing.T, name string, minutesAgo int, values ...float64) time.Time {
	t.Helper()
	at := time.Now().Truncate(time.Minute).Add(-time.Duration(minutesAgo) * time.Minute)
	_, err := w.client.PutMetricData(t.Context(), &sdk.PutMetricDataInput{Namespace: aws.String("Test"), MetricData: []types.MetricDatum{{
		MetricName: &name, Values: values, Timestamp: aws.Time(at.Add(7 * time.Second)), Unit: types.StandardUnitMilliseconds,
		Dimensions: []types.Dimension{{Name: aws.String("Host"), Value: aws.String("a")}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func TestSDK(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	first := w.put(t, "Latency", 3, 10, 20, 30, 40)
	second := w.put(t, "Latency", 1, 7)
	w.store.Add(metrics.ID{Namespace: "AWS/IoT", Name: "Connect.Success", Dimensions: []metrics.Dimension{{Name: "Protocol", Value: "MQTT"}}}, "Count", time.Now(), metrics.Sample(1, 3))

	list, err := w.client.ListMetrics(ctx, &sdk.ListMetricsInput{Namespace: aws.String("AWS/IoT"), Dimensions: []types.DimensionFilter{{Name: aws.String("Protocol")}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Metrics) != 1 || *list.Metrics[0].MetricName != "Connect.Success" || *list.Metrics[0].Dimensions[0].Value != "MQTT" {
		t.Errorf("ListMetrics = %+v, want Connect.Success alone", list.Metrics)
	}
	ask := &sdk.GetMetricStatisticsInput{
		Namespace: aws.String("Test"), MetricName: aws.String("Latency"), Dimensions: []types.Dimension{{Name: aws.String("Host"), Value: aws.String("a")}},
		StartTime: aws.Time(first), EndTime: aws.Time(time.Now()), Period: aws.Int32(60),
		Statistics: []types.Statistic{types.StatisticSum, types.StatisticAverage, types.StatisticMinimum, types.StatisticMaximum, types.StatisticSampleCount},
	}
	got, err := w.client.GetMetricStatistics(ctx, ask)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		At                    time.Time
		Sum, Avg, Min, Max, N float64
		Unit                  types.StandardUnit
	}
	var rows []row
	for _, d := range got.Datapoints {
		rows = append(rows, row{*d.Timestamp, *d.Sum, *d.Average, *d.Minimum, *d.Maximum, *d.SampleCount, d.Unit})
	}
	want := []row{{first, 100, 25, 10, 40, 4, "Milliseconds"}, {second, 7, 7, 7, 7, 1, "Milliseconds"}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("GetMetricStatistics (-want +got):\n%s", diff)
	}
	ask.Statistics, ask.ExtendedStatistics = nil, []string{"p50", "p100", "p0"}
	got, err = w.client.GetMetricStatistics(ctx, ask)
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Datapoints[0].ExtendedStatistics; p["p0"] != 10 || p["p100"] != 40 || p["p50"] < 19.8 || p["p50"] > 20.2 {
		t.Errorf("percentiles of 10, 20, 30, 40 = %v", p)
	}
	ask.Unit = types.StandardUnitSeconds
	if got, err = w.client.GetMetricStatistics(ctx, ask); err != nil || len(got.Datapoints) != 0 {
		t.Errorf("in another unit: %v, %v, want nothing", got.Datapoints, err)
	}
	if !strings.HasPrefix(w.sent[0], "rpc-v2-cbor") {
		t.Errorf("the SDK speaks %q, not CBOR any more", w.sent[0])
	}
}

// latency is a query for the sum of Test's Latency.
func latency(id string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, ReturnData: aws.Bool(id[0] != 'h'), MetricStat: &types.MetricStat{
		Period: aws.Int32(60), Stat: aws.String("Sum"), Metric: &types.Metric{
			Namespace: aws.String("Test"), MetricName: aws.String("Latency"), Dimensions: []types.Dimension{{Name: aws.String("Host"), Value: aws.String("a")}},
		},
	}}
}

func TestGetMetricData(t *testing.T) {
	w := newWorld(t)
	first := w.put(t, "Latency", 5, 8)
	w.put(t, "Latency", 4, 4, 16)
	w.put(t, "Latency", 2, 2)
	end := first.Add(5 * time.Minute)
	for expression, want := range map[string][]float64{
		"h1":                        {8, 20, 2},
		"h1 + 1":                    {9, 21, 3},
		"-h1^2":                     {-64, -400, -4},
		"2 + 3 * (h1 - 1)":          {23, 59, 5},
		"100 * h1 / SUM(h1)":        {800.0 / 30, 2000.0 / 30, 200.0 / 30},
		"SUM(METRICS())":            {24, 60, 6},
		"AVG(METRICS('h'))":         {8, 20, 2},
		"MAX([h1, h2 * 2])":         {16, 40, 4},
		"FILL(h1, 0)":               {8, 20, 0, 2, 0},
		"FILL(h1, REPEAT)":          {8, 20, 20, 2, 2},
		"FILL(h1, LINEAR)":          {8, 20, 11, 2},
		"IF(h1 > 5, h1, 0 - 1)":     {8, 20, -1},
		"IF(h1 > 5 AND h1 < 10, 1)": {1},
		"RATE(h1)":                  {12.0 / 60, -18.0 / 120},
		"CEIL(h1 / 3)":              {3, 7, 1},
		"FLOOR(ABS(0 - h1 / 3))":    {2, 6, 0},
		"h1 / (h1 - 8)":             {20.0 / 12, 2.0 / -6},
	} {
		got, err := w.client.GetMetricData(t.Context(), &sdk.GetMetricDataInput{
			StartTime: &first, EndTime: &end, ScanBy: types.ScanByTimestampAscending,
			MetricDataQueries: []types.MetricDataQuery{latency("h1"), latency("h2"), latency("m3"), {Id: aws.String("e1"), Expression: &expression}},
		})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if len(got.MetricDataResults) != 2 { // m3 and e1: those whose id begins with h return nothing
			t.Fatalf("%s: results %v, want m3 and e1", expression, got.MetricDataResults)
		}
		if diff := cmp.Diff(want, got.MetricDataResults[1].Values); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expression, diff)
		}
	}
}

func TestGetMetricDataPages(t *testing.T) {
	w := newWorld(t)
	first := w.put(t, "Latency", 9, 1)
	for ago := 8; ago > 0; ago-- {
		w.put(t, "Latency", ago, float64(10-ago))
	}
	pages := sdk.NewGetMetricDataPaginator(w.client, &sdk.GetMetricDataInput{
		StartTime: &first, EndTime: aws.Time(time.Now()), MaxDatapoints: aws.Int32(4), MetricDataQueries: []types.MetricDataQuery{latency("m1"), latency("m2")},
	})
	got := map[string][]float64{}
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.MetricDataResults {
			got[*r.Id] = append(got[*r.Id], r.Values...)
		}
		last := page.MetricDataResults[len(page.MetricDataResults)-1]
		if partial := last.StatusCode == types.StatusCodePartialData; partial != (page.NextToken != nil) {
			t.Errorf("page %d ends with status %s, token %v", n, last.StatusCode, page.NextToken != nil)
		}
	}
	all := []float64{9, 8, 7, 6, 5, 4, 3, 2, 1}
	if diff := cmp.Diff(map[string][]float64{"m1": all, "m2": all}, got); diff != "" || n != 5 {
		t.Errorf("in %d pages (-want +got):\n%s", n, diff)
	}
}

func TestListMetricsPages(t *testing.T) {
	w := newWorld(t)
	want := map[string]bool{}
	for i := range 1001 {
		name := fmt.Sprintf("m%d", i)
		want[name] = true
		w.store.Add(metrics.ID{Namespace: "Test", Name: name}, "None", time.Now(), metrics.Sample(1, 1))
	}
	pages := sdk.NewListMetricsPaginator(w.client, &sdk.ListMetricsInput{RecentlyActive: types.RecentlyActivePt3h})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Metrics {
			if !want[*m.MetricName] {
				t.Fatalf("%s is listed twice", *m.MetricName)
			}
			delete(want, *m.MetricName)
		}
	}
	if n != 3 || len(want) != 0 {
		t.Errorf("%d pages, %d metrics missing, want 3 and none", n, len(want))
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	now, ago := time.Now(), time.Now().Add(-time.Hour)
	stats := func(change func(*sdk.GetMetricStatisticsInput)) func() error {
		return func() error {
			in := &sdk.GetMetricStatisticsInput{
				Namespace: aws.String("AWS/IoT"), MetricName: aws.String("Connect.Success"), StartTime: &ago, EndTime: &now, Period: aws.Int32(60),
				Statistics: []types.Statistic{types.StatisticSum},
			}
			change(in)
			_, err := w.client.GetMetricStatistics(ctx, in)
			return err
		}
	}
	data := func(queries ...types.MetricDataQuery) func() error {
		return func() error {
			_, err := w.client.GetMetricData(ctx, &sdk.GetMetricDataInput{StartTime: &ago, EndTime: &now, MetricDataQueries: queries})
			return err
		}
	}
	expression := func(text string) func() error {
		return data(latency("m1"), types.MetricDataQuery{Id: aws.String("e1"), Expression: &text})
	}
	put := func(change func(*sdk.PutMetricDataInput)) func() error {
		return func() error {
			in := &sdk.PutMetricDataInput{Namespace: aws.String("Test"), MetricData: []types.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(1)}}}
			change(in)
			_, err := w.client.PutMetricData(ctx, in)
			return err
		}
	}
	for name, tt := range map[string]struct {
		call func() error
		want string
		says string
	}{
		"no statistics": {stats(func(in *sdk.GetMetricStatisticsInput) { in.Statistics = nil }), "MissingParameter", "Statistics"},
		"both":          {stats(func(in *sdk.GetMetricStatisticsInput) { in.ExtendedStatistics = []string{"p90"} }), "InvalidParameterCombination", "both"},
		"too many points": {stats(func(in *sdk.GetMetricStatisticsInput) {
			in.StartTime = aws.Time(now.Add(-48 * time.Hour).Truncate(time.Minute))
			in.EndTime = aws.Time(now.Truncate(time.Minute))
		}), "InvalidParameterCombination", "You have requested up to 2,880 datapoints, which exceeds the limit of 1,440."},
		"end before":   {stats(func(in *sdk.GetMetricStatisticsInput) { in.EndTime = &ago; in.StartTime = &now }), "InvalidParameterValue", "StartTime"},
		"period":       {stats(func(in *sdk.GetMetricStatisticsInput) { in.Period = aws.Int32(90) }), "InvalidParameterValue", "multiple of 60"},
		"trimmed mean": {stats(func(in *sdk.GetMetricStatisticsInput) { in.Statistics = nil; in.ExtendedStatistics = []string{"tm90"} }), "InvalidParameterValue", "tm90"},
		"p101":         {stats(func(in *sdk.GetMetricStatisticsInput) { in.Statistics = nil; in.ExtendedStatistics = []string{"p101"} }), "InvalidParameterValue", "p101"},
		"unknown enum": {stats(func(in *sdk.GetMetricStatisticsInput) { in.Statistics = []types.Statistic{"Median"} }), "InvalidParameterValue", "SampleCount, Average, Sum"},

		"search":           {expression("SEARCH('{AWS/IoT}', 'Sum', 60)"), "InvalidParameterValue", `the function "SEARCH" is not supported`},
		"insights SQL":     {expression("SELECT AVG(x) FROM y"), "InvalidParameterValue", "queries of Metrics Insights (SELECT) are not supported"},
		"half":             {expression("m1 +"), "InvalidParameterValue", "it ends where a value is expected"},
		"unknown id":       {expression("m2"), "InvalidParameterValue", "unrecognized identifier"},
		"itself":           {expression("e1 + 1"), "InvalidParameterValue", "its own result"},
		"a number":         {expression("1 + 1"), "InvalidParameterValue", "one time series"},
		"a list":           {expression("METRICS()"), "InvalidParameterValue", "one time series"},
		"deep":             {expression(strings.Repeat("(", 500) + "m1"), "InvalidParameterValue", "too deep"},
		"many signs":       {expression(strings.Repeat("-", 2000) + "m1"), "InvalidParameterValue", "too deep"},
		"same id":          {data(latency("m1"), latency("m1")), "InvalidParameterValue", "unique"},
		"upper-case id":    {data(latency("M1")), "InvalidParameterValue", "pattern"},
		"neither":          {data(types.MetricDataQuery{Id: aws.String("a")}), "InvalidParameterCombination", "exactly one"},
		"nothing returned": {data(latency("h1")), "InvalidParameterCombination", "ReturnData"},

		"AWS's namespace": {put(func(in *sdk.PutMetricDataInput) { in.Namespace = aws.String("AWS/IoT") }), "InvalidParameterValue", "AWS/"},
		"no value":        {put(func(in *sdk.PutMetricDataInput) { in.MetricData[0].Value = nil }), "MissingParameter", "Value"},
		"two values":      {put(func(in *sdk.PutMetricDataInput) { in.MetricData[0].Values = []float64{1} }), "InvalidParameterCombination", "exclusive"},
		"too old":         {put(func(in *sdk.PutMetricDataInput) { in.MetricData[0].Timestamp = aws.Time(now.Add(-15 * 24 * time.Hour)) }), "InvalidParameterValue", "two weeks"},
		"the future":      {put(func(in *sdk.PutMetricDataInput) { in.MetricData[0].Timestamp = aws.Time(now.Add(3 * time.Hour)) }), "InvalidParameterValue", "two hours"},
		"too large":       {put(func(in *sdk.PutMetricDataInput) { in.MetricData[0].Value = aws.Float64(1e300) }), "InvalidParameterValue", "2^360"},
		"high resolution": {put(func(in *sdk.PutMetricDataInput) { in.MetricData[0].StorageResolution = aws.Int32(1) }), "InvalidParameterValue", "60 seconds"},
		"one twice": {put(func(in *sdk.PutMetricDataInput) {
			d := types.Dimension{Name: aws.String("a"), Value: aws.String("b")}
			in.MetricData[0].Dimensions = []types.Dimension{d, d}
		}), "InvalidParameterValue", "more than once"},
		"no room": {put(func(in *sdk.PutMetricDataInput) {
			in.MetricData = nil
			for i := range 1000 {
				name := fmt.Sprint("m", i)
				in.MetricData = append(in.MetricData, types.MetricDatum{MetricName: &name, Value: aws.Float64(1)})
			}
			_, _ = w.client.PutMetricData(ctx, in)
			for i := range in.MetricData {
				in.MetricData[i].Unit = types.StandardUnitBytes
			}
		}), "LimitExceededException", "no room"},
		"dashboards": {func() error { _, err := w.client.ListDashboards(ctx, &sdk.ListDashboardsInput{}); return err }, "NotImplementedException", "ListDashboards"},
	} {
		err := tt.call()
		if got := code(err); got != tt.want || !strings.Contains(fmt.Sprint(err), tt.says) {
			t.Errorf("%s: %v, want %s that says %q", name, err, tt.want, tt.says)
		}
	}
}

func TestCompressed(t *testing.T) {
	w := newWorld(t)
	in := &sdk.PutMetricDataInput{Namespace: aws.String("Test")}
	for range 300 {
		in.MetricData = append(in.MetricData, types.MetricDatum{MetricName: aws.String("Many"), Value: aws.Float64(2)})
	}
	if _, err := w.client.PutMetricData(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(w.sent[0], "gzip") {
		t.Fatalf("the SDK did not compress: %q", w.sent[0])
	}
	for _, list := range w.store.Read(metrics.ID{Namespace: "Test", Name: "Many"}, "", time.Now().Add(-time.Hour), time.Now().Add(time.Minute), 24*time.Hour) {
		if list[0].Count != 300 || list[0].Sum != 600 {
			t.Errorf("count %v, sum %v, want 300 and 600", list[0].Count, list[0].Sum)
		}
	}
}

// call sends a signed request as written.
func (w *world) call(t *testing.T, method, path, contentType, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	r.RequestURI = ""
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, r, sum, "monitoring", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer), resp.Header
}

const formType = "application/x-www-form-urlencoded; charset=utf-8"

func TestQueryProtocol(t *testing.T) {
	w := newWorld(t)
	at := w.put(t, "Latency", 2, 10, 30)
	from, to := at.Format(time.RFC3339), at.Add(time.Minute).Format(time.RFC3339)
	const ns = `xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"`
	for name, tt := range map[string]struct {
		form   string
		status int
		want   string
	}{
		"list": {
			"Action=ListMetrics&Version=2010-08-01&Namespace=Test&Dimensions.member.1.Name=Host&Dimensions.member.1.Value=a", 200,
			"<ListMetricsResponse " + ns + "><ListMetricsResult><Metrics><member><Dimensions><member><Name>Host</Name><Value>a</Value></member></Dimensions><MetricName>Latency</MetricName><Namespace>Test</Namespace></member></Metrics></ListMetricsResult>",
		},
		"list of nothing": {"Action=ListMetrics&Version=2010-08-01&Namespace=None&Dimensions=", 200, "<ListMetricsResult><Metrics></Metrics></ListMetricsResult>"},
		"statistics": {
			"Action=GetMetricStatistics&Version=2010-08-01&Namespace=Test&MetricName=Latency&StartTime=" + from + "&EndTime=" + to +
				"&Period=60&Statistics.member.1=Sum&Statistics.member.2=Average&Dimensions.member.1.Name=Host&Dimensions.member.1.Value=a", 200,
			"<Datapoints><member><Average>20</Average><Sum>40</Sum><Timestamp>" + from + "</Timestamp><Unit>Milliseconds</Unit></member></Datapoints><Label>Latency</Label>",
		},
		"extended": {
			"Action=GetMetricStatistics&Version=2010-08-01&Namespace=Test&MetricName=Latency&StartTime=" + from + "&EndTime=" + to +
				"&Period=60&ExtendedStatistics.member.1=p100&Dimensions.member.1.Name=Host&Dimensions.member.1.Value=a", 200,
			"<ExtendedStatistics><entry><key>p100</key><value>30</value></entry></ExtendedStatistics>",
		},
		"data": {
			"Action=GetMetricData&Version=2010-08-01&StartTime=" + from + "&EndTime=" + to + "&MetricDataQueries.member.1.Id=m1&MetricDataQueries.member.1.MetricStat.Stat=Sum" +
				"&MetricDataQueries.member.1.MetricStat.Period=60&MetricDataQueries.member.1.MetricStat.Metric.Namespace=Test&MetricDataQueries.member.1.MetricStat.Metric.MetricName=Latency" +
				"&MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name=Host&MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value=a&MetricDataQueries.member.1.ReturnData=true", 200,
			"<Id>m1</Id><Label>Latency</Label><StatusCode>Complete</StatusCode><Timestamps><member>" + from + "</member></Timestamps><Values><member>40</member></Values>",
		},
		"put":            {"Action=PutMetricData&Version=2010-08-01&Namespace=Test&MetricData.member.1.MetricName=x&MetricData.member.1.Value=1.5", 200, "<PutMetricDataResponse " + ns + "><ResponseMetadata>"},
		"value":          {"Action=PutMetricData&Version=2010-08-01&Namespace=Test&MetricData.member.1.MetricName=x&MetricData.member.1.Value=one", 400, "<Code>SerializationException</Code>"},
		"missing":        {"Action=ListMetrics&Version=2010-08-01&Dimensions.member.1.Value=a", 400, "<Type>Sender</Type><Code>MissingParameter</Code><Message>The parameter Dimensions.1.member.Name is required.</Message>"},
		"invalid":        {"Action=ListMetrics&Version=2010-08-01&RecentlyActive=PT4H", 400, "<Code>InvalidParameterValue</Code>"},
		"token":          {"Action=ListMetrics&Version=2010-08-01&NextToken=abc", 400, "<Code>InvalidParameterValue</Code>"},
		"element number": {"Action=ListMetrics&Version=2010-08-01&Dimensions.member.x.Name=a", 400, "<Code>MalformedInput</Code>"},
		"huge number":    {"Action=ListMetrics&Version=2010-08-01&Namespace=Test&Dimensions.member.999999999.Name=Host", 200, "<MetricName>Latency</MetricName>"},
		"twice":          {"Action=ListMetrics&Version=2010-08-01&Namespace=a&Namespace=b", 400, "<Code>MalformedInput</Code>"},
		"deep":           {"Action=ListMetrics&Version=2010-08-01&" + strings.Repeat("a.", 40) + "b=1", 400, "<Code>MalformedInput</Code>"},
		"not built":      {"Action=DescribeAlarms&Version=2010-08-01", 501, "<Code>NotImplementedException</Code>"},
		"no action":      {"Version=2010-08-01", 400, "<Code>MissingAction</Code>"},
	} {
		status, body, _ := w.call(t, "POST", "/", formType, tt.form)
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s, want %d with %s", name, status, body, tt.status, tt.want)
		}
	}
	if status, body, _ := w.call(t, "GET", "/?Action=ListMetrics&Version=2010-08-01&Namespace=Test", "", ""); status != 200 || !strings.Contains(body, "Latency") {
		t.Errorf("by GET: %d %s", status, body)
	}
}

func TestJSON(t *testing.T) {
	w := newWorld(t)
	at := w.put(t, "Latency", 2, 10, 30)
	target := func(op string) []string {
		return []string{"X-Amz-Target", "GraniteServiceVersion20100801." + op, "X-Amzn-Query-Mode", "true"}
	}
	status, body, header := w.call(t, "POST", "/", "application/x-amz-json-1.0", fmt.Sprintf(`{"StartTime":%d,"EndTime":%d.5,"MetricDataQueries":[{"Id":"m1","MetricStat":{"Metric":{"Namespace":"Test","MetricName":"Latency",
		"Dimensions":[{"Name":"Host","Value":"a"}]},"Period":300,"Stat":"Maximum"},"ReturnData":true}],"ScanBy":"TimestampAscending"}`, at.Unix(), at.Unix()+60), target("GetMetricData")...)
	if status != 200 || header.Get("Content-Type") != "application/x-amz-json-1.0" || !strings.Contains(body, fmt.Sprintf(`"Timestamps":[%d],"Values":[30]`, at.Unix()/300*300)) {
		t.Errorf("GetMetricData: %d %s %s", status, header.Get("Content-Type"), body)
	}
	status, body, header = w.call(t, "POST", "/", "application/x-amz-json-1.0", `{"Namespace":":x"}`, target("ListMetrics")...)
	if status != 400 || header.Get("X-Amzn-Query-Error") != "InvalidParameterValue;Sender" || !strings.Contains(body, `"__type":"com.amazonaws.cloudwatch#InvalidParameterValueException"`) {
		t.Errorf("an error: %d %v %s", status, header, body)
	}
	status, body, _ = w.call(t, "POST", "/", "application/x-amz-json-1.0", `{}`, target("PutMetricAlarm")...)
	if status != 501 || !strings.Contains(body, "PutMetricAlarm") {
		t.Errorf("an operation that is not built: %d %s", status, body)
	}
}

// TestCBOR sends what clients write, byte by byte. Source: metrics sheet 3.2.
func TestCBOR(t *testing.T) {
	w := newWorld(t)
	w.store.Add(metrics.ID{Namespace: "AWS/IoT", Name: "Ping.Success", Dimensions: []metrics.Dimension{{Name: "Protocol", Value: "MQTT"}}}, "Count", time.Now(), metrics.Sample(1, 1))
	const path = "/service/GraniteServiceVersion20100801/operation/"
	definite := "\xa2\x69Namespace\x67AWS/IoT\x6aDimensions\x81\xa2\x64Name\x68Protocol\x65Value\x64MQTT"
	for name, tt := range map[string]struct {
		op, body string
		status   int
		want     string
	}{
		"definite":              {"ListMetrics", definite, 200, "Ping.Success"},
		"indefinite":            {"ListMetrics", "\xbf\x69Namespace\x67AWS/IoT\xff", 200, "Ping.Success"},
		"empty":                 {"ListMetrics", "\xa0", 200, "Ping.Success"},
		"empty, without length": {"ListMetrics", "\xbf\xff", 200, "Ping.Success"},
		"no body":               {"ListMetrics", "", 200, "Ping.Success"},
		"null":                  {"ListMetrics", "\xa1\x69Namespace\xf6", 200, "Ping.Success"},
		"half a float":          {"PutMetricData", "\xa2\x69Namespace\x61a\x6aMetricData\x81\xa2\x6aMetricName\x61m\x65Value\xf9\x3c\x00", 200, "\xa0"},
		"an integer":            {"PutMetricData", "\xa2\x69Namespace\x61a\x6aMetricData\x81\xa3\x6aMetricName\x61m\x65Value\x05\x69Timestamp\xc1\x1a" + string(binary.BigEndian.AppendUint32(nil, uint32(time.Now().Unix()))), 200, "\xa0"},
		"not a number":          {"PutMetricData", "\xa2\x69Namespace\x61a\x6aMetricData\x81\xa2\x6aMetricName\x61m\x65Value\xf9\x7e\x00", 400, "InvalidParameterValueException"},
		"no time":               {"PutMetricData", "\xa2\x69Namespace\x61a\x6aMetricData\x81\xa3\x6aMetricName\x61m\x65Value\x05\x69Timestamp\xc1\xf9\x7e\x00", 400, "SerializationException"},
		"a wrong type":          {"ListMetrics", "\xa1\x69Namespace\x05", 400, "SerializationException"},
		"torn":                  {"ListMetrics", definite[:20], 400, "SerializationException"},
		"more than one":         {"ListMetrics", "\xa0\xa0", 400, "SerializationException"},
		"a name twice":          {"ListMetrics", "\xa2\x69Namespace\x61a\x69Namespace\x61b", 400, "SerializationException"},
		"a number name":         {"ListMetrics", "\xa1\x01\x02", 400, "SerializationException"},
		"deep":                  {"ListMetrics", strings.Repeat("\x81", 5000), 400, "SerializationException"},
		"a claimed size":        {"ListMetrics", "\xa1\x6aDimensions\x9b\x00\x00\x00\xff\xff\xff\xff\xff", 400, "SerializationException"},
		"not built":             {"DescribeAlarms", "\xa0", 501, "NotImplementedException"},
	} {
		status, body, header := w.call(t, "POST", path+tt.op, "application/cbor", tt.body, "Smithy-Protocol", "rpc-v2-cbor")
		if status != tt.status || !strings.Contains(body, tt.want) || header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
			t.Errorf("%s: %d %q %v, want %d with %q", name, status, body, header, tt.status, tt.want)
		}
	}
	if status, body, _ := w.call(t, "POST", path+"ListMetrics", "application/cbor", "\xa0", "Smithy-Protocol", "rpc-v2-json"); status != 400 {
		t.Errorf("a header that disagrees with the path: %d %q", status, body)
	}
}
