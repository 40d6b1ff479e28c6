package function

import "testing"

// FuzzReference: what names a function has a name that AWS allows, and its ARN means the same.
func FuzzReference(f *testing.F) {
	s := &Service{cfg: Config{AccountID: testAccount, Region: "us-east-1"}, partition: "aws"}
	for _, seed := range [][2]string{
		{"f", ""},
		{"f:live", ""},
		{"f", "7"},
		{"f:$LATEST", "$LATEST"},
		{testAccount + ":function:f", ""},
		{"function:f:1", ""},
		{s.arn("f") + ":live", "live"},
		{s.arn("f"), "1"},
		{"arn:aws:iot:us-east-1:" + testAccount + ":authorizer/a", ""},
		{"arn", ""},
		{":::::::", ":"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, qualifier string) {
		ref, err := s.parseReference(text, qualifier)
		if err != nil {
			return
		}
		if ref.name == "" || len(ref.name) > maxName || !namePattern.MatchString(ref.name) || ref.qualifier != "" && ref.qualifier != latest && !validAlias(ref.qualifier) {
			t.Fatalf("%q, %q: %+v", text, qualifier, ref)
		}
		if qualifier != "" && ref.qualifier != qualifier {
			t.Fatalf("%q, %q: the qualifier is %q", text, qualifier, ref.qualifier)
		}
		again, err := s.parseReference(qualified(s.arn(ref.name), ref.qualifier), "")
		if err != nil || again != ref {
			t.Fatalf("%q, %q: %+v, by its ARN %+v %v", text, qualifier, ref, again, err)
		}
	})
}
