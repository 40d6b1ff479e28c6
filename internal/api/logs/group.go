package logs

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// CreateLogGroup makes a group that keeps its events for ever.
func (h *Handlers) CreateLogGroup(_ context.Context, in *CreateLogGroupRequest) (*CreateLogGroupResponse, error) {
	if in.KmsKeyId != nil || len(in.Tags) > 0 || api.OrZero(in.DeletionProtectionEnabled) || in.LogGroupClass != nil && *in.LogGroupClass != LogGroupClassStandard {
		return nil, InvalidParameterException("Gatehouse supports no kmsKeyId, tags, deletion protection or class other than STANDARD of log groups yet.")
	}
	return &CreateLogGroupResponse{}, h.cfg.Store.CreateGroup(in.LogGroupName)
}

// DeleteLogGroup deletes a group with its events.
func (h *Handlers) DeleteLogGroup(_ context.Context, in *DeleteLogGroupRequest) (*DeleteLogGroupResponse, error) {
	return &DeleteLogGroupResponse{}, h.cfg.Store.DeleteGroup(in.LogGroupName)
}

// DescribeLogGroups lists groups by name.
func (h *Handlers) DescribeLogGroups(ctx context.Context, in *DescribeLogGroupsRequest) (*DescribeLogGroupsResponse, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, InvalidParameterException("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	if len(in.LogGroupIdentifiers) > 0 && (in.LogGroupNamePrefix != nil || in.LogGroupNamePattern != nil) {
		return nil, InvalidParameterException("logGroupIdentifiers excludes the other filters.")
	}
	var wanted []string
	for _, id := range in.LogGroupIdentifiers {
		name, err := h.identified(id)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, name)
	}
	p, err := page(ctx, in.NextToken, in.Limit, 50, in.LogGroupNamePrefix, in.LogGroupNamePattern, wanted, in.LogGroupClass)
	if err != nil {
		return nil, err
	}
	out := &DescribeLogGroupsResponse{LogGroups: []LogGroup{}}
	last := ""
	for _, g := range h.cfg.Store.Groups() {
		switch {
		case g.Name <= p.After, !strings.HasPrefix(g.Name, api.OrZero(in.LogGroupNamePrefix)), !strings.Contains(g.Name, api.OrZero(in.LogGroupNamePattern)),
			wanted != nil && !slices.Contains(wanted, g.Name), in.LogGroupClass != nil && *in.LogGroupClass != LogGroupClassStandard:
			continue
		}
		if len(out.LogGroups) == p.Size {
			out.NextToken = p.Next(true, last)
			break
		}
		last = g.Name
		out.LogGroups = append(out.LogGroups, h.describe(g, in.LogGroupNamePattern != nil))
	}
	return out, nil
}

func (h *Handlers) describe(g logs.Group, brief bool) LogGroup {
	out := LogGroup{LogGroupName: &g.Name, Arn: new(h.arn(g.Name) + ":*"), CreationTime: &g.Created}
	if brief {
		return out
	}
	out.LogGroupArn = new(h.arn(g.Name))
	out.StoredBytes = &g.StoredBytes
	out.MetricFilterCount = new(int32(0))
	out.LogGroupClass = new(LogGroupClassStandard)
	out.DeletionProtectionEnabled, out.BearerTokenAuthenticationEnabled = new(false), new(false)
	if g.RetentionDays != 0 {
		out.RetentionInDays = new(int32(g.RetentionDays))
	}
	return out
}

// groupPattern is what ListLogGroups takes: up to five alternatives.
var groupPattern = regexp.MustCompile(`^\^?[.\-_/#A-Za-z0-9]{3,24}(\|\^?[.\-_/#A-Za-z0-9]{3,24}){0,4}$`)

// ListLogGroups lists groups by name, briefly.
func (h *Handlers) ListLogGroups(ctx context.Context, in *ListLogGroupsRequest) (*ListLogGroupsResponse, error) {
	if in.LogGroupNamePattern != nil && !groupPattern.MatchString(*in.LogGroupNamePattern) {
		return nil, InvalidParameterException("logGroupNamePattern is up to five names or parts of names of 3 to 24 characters, joined by |.")
	}
	if len(in.DataSources) > 0 || len(in.FieldIndexNames) > 0 || len(in.LogGroupTags) > 0 {
		return nil, InvalidParameterException("Gatehouse does not filter log groups by dataSources, fieldIndexNames or logGroupTags yet.")
	}
	p, err := page(ctx, in.NextToken, in.Limit, 50, in.LogGroupNamePattern, in.LogGroupClass)
	if err != nil {
		return nil, err
	}
	out := &ListLogGroupsResponse{LogGroups: []LogGroupSummary{}}
	last := ""
	for _, g := range h.cfg.Store.Groups() {
		if g.Name <= p.After || in.LogGroupNamePattern != nil && !anyOf(*in.LogGroupNamePattern, g.Name) || in.LogGroupClass != nil && *in.LogGroupClass != LogGroupClassStandard {
			continue
		}
		if len(out.LogGroups) == p.Size {
			out.NextToken = p.Next(true, last)
			break
		}
		last = g.Name
		out.LogGroups = append(out.LogGroups, LogGroupSummary{LogGroupName: &g.Name, LogGroupArn: new(h.arn(g.Name)), LogGroupClass: new(LogGroupClassStandard)})
	}
	return out, nil
}

func anyOf(pattern, name string) bool {
	for part := range strings.SplitSeq(pattern, "|") {
		if prefix, anchored := strings.CutPrefix(part, "^"); anchored && strings.HasPrefix(name, prefix) || !anchored && strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// retentions are the days that AWS knows.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// PutRetentionPolicy sets after how many days events expire.
func (h *Handlers) PutRetentionPolicy(_ context.Context, in *PutRetentionPolicyRequest) (*PutRetentionPolicyResponse, error) {
	if !slices.Contains(retentions, int(in.RetentionInDays)) {
		return nil, InvalidParameterException("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %s",
			in.RetentionInDays, strings.ReplaceAll(fmt.Sprint(retentions), " ", ", "))
	}
	return &PutRetentionPolicyResponse{}, h.cfg.Store.SetRetention(in.LogGroupName, int(in.RetentionInDays))
}

// DeleteRetentionPolicy keeps events for ever.
func (h *Handlers) DeleteRetentionPolicy(_ context.Context, in *DeleteRetentionPolicyRequest) (*DeleteRetentionPolicyResponse, error) {
	return &DeleteRetentionPolicyResponse{}, h.cfg.Store.SetRetention(in.LogGroupName, 0)
}
