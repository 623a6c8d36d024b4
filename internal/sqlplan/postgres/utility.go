package postgres

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant/ast"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/treewalk"
)

// verb names the statement for messages.
func (p *translator) verb() string {
	var words []string
	for i := p.begin; i < p.end && len(words) < 2 && p.tokens[i].kind == kindWord; i++ {
		words = append(words, strings.ToUpper(p.tokens[i].text))
		if words[0] != "CREATE" && words[0] != "ALTER" && words[0] != "START" {
			break
		}
	}
	if len(words) == 0 {
		return "a statement"
	}
	return strings.Join(words, " ")
}

// utility translates a statement that is neither a query nor a change of rows.
func (p *translator) utility(n *pg.Node) sqlplan.Statement {
	u := &sqlplan.Utility{What: p.verb()}
	if p.begin < p.end {
		u.Span = p.span(p.begin, p.end)
	}
	u.Excludes = excludes(n)
	if harmless(n) {
		u.Kind = sqlplan.UtilityHarmless
		if x := n.GetDropStmt(); x != nil && x.RemoveType == pg.ObjectType_OBJECT_INDEX && !x.MissingOk {
			p.droppedIndexes(u, x)
		}
		return u
	}
	switch x := n.GetNode().(type) {
	case *pg.Node_VariableSetStmt:
		u.Kind = sqlplan.UtilityHarmless
	case *pg.Node_ExplainStmt:
		u.Kind, u.Inner = sqlplan.UtilityExplain, []sqlplan.Statement{p.statement(x.ExplainStmt.Query)}
		for _, o := range x.ExplainStmt.Options {
			u.Executes = u.Executes || o.GetDefElem().GetDefname() == "analyze"
		}
	case *pg.Node_CreateTableAsStmt:
		u.Kind, u.Inner = sqlplan.UtilityStore, []sqlplan.Statement{p.statement(x.CreateTableAsStmt.Query)}
		p.made(u, x.CreateTableAsStmt.GetInto().GetRel())
	case *pg.Node_ViewStmt:
		u.Kind, u.Inner = sqlplan.UtilityStore, []sqlplan.Statement{p.statement(x.ViewStmt.Query)}
		p.made(u, x.ViewStmt.View)
	case *pg.Node_PrepareStmt:
		u.Kind, u.Inner = sqlplan.UtilityPrepare, []sqlplan.Statement{p.statement(x.PrepareStmt.Query)}
	case *pg.Node_DeclareCursorStmt:
		u.Kind, u.Inner = sqlplan.UtilityPrepare, []sqlplan.Statement{p.statement(x.DeclareCursorStmt.Query)}
	case *pg.Node_CopyStmt:
		p.copyStmt(u, x.CopyStmt)
	case *pg.Node_CreateSchemaStmt:
		u.Kind = sqlplan.UtilityHarmless
		p.inGroup = true
		for _, e := range x.CreateSchemaStmt.SchemaElts {
			u.Kind, u.Inner = sqlplan.UtilityGroup, append(u.Inner, p.statement(e))
		}
		p.inGroup = false
	case *pg.Node_DoStmt, *pg.Node_CreateFunctionStmt:
		u.Kind = sqlplan.UtilityBody
		stringsIn(n.ProtoReflect(), &u.Strings)
	default:
		p.define(u, n)
	}
	return u
}

// made notes the relation that a statement makes from a query.
func (p *translator) made(u *sqlplan.Utility, r *pg.RangeVar) {
	if r == nil {
		return
	}
	u.Relations, u.Refuse = []*sqlplan.TableRef{p.bareRef(r)}, "a protected table cannot be made from a query"
	u.Temporary = r.Relpersistence == "t"
}

// excludes reports whether a statement may take locks that reading a relation's defaults
// from the catalog waits for. DDL is known by its kind.
func excludes(n *pg.Node) bool {
	switch n.GetNode().(type) {
	case *pg.Node_TruncateStmt, *pg.Node_LockStmt, *pg.Node_ReindexStmt, *pg.Node_ClusterStmt, *pg.Node_RefreshMatViewStmt, *pg.Node_DoStmt, *pg.Node_CallStmt:
		return true
	}
	return false
}

// harmless reports whether a statement neither holds a value nor changes what
// names mean.
func harmless(n *pg.Node) bool {
	switch n.GetNode().(type) {
	case *pg.Node_TransactionStmt, *pg.Node_VariableShowStmt, *pg.Node_TruncateStmt, *pg.Node_DropStmt, *pg.Node_LockStmt,
		*pg.Node_GrantStmt, *pg.Node_GrantRoleStmt, *pg.Node_VacuumStmt, *pg.Node_ListenStmt, *pg.Node_NotifyStmt, *pg.Node_UnlistenStmt, *pg.Node_DiscardStmt,
		*pg.Node_CheckPointStmt, *pg.Node_ReindexStmt, *pg.Node_ClusterStmt, *pg.Node_CommentStmt, *pg.Node_DeallocateStmt,
		*pg.Node_ClosePortalStmt, *pg.Node_FetchStmt, *pg.Node_CreateSeqStmt, *pg.Node_AlterSeqStmt,
		*pg.Node_RefreshMatViewStmt, *pg.Node_AlterOwnerStmt, *pg.Node_ConstraintsSetStmt:
		return true
	}
	return false
}

func (p *translator) copyStmt(u *sqlplan.Utility, c *pg.CopyStmt) {
	u.Kind = sqlplan.UtilityCopy
	if c.Relation != nil {
		u.Relations = []*sqlplan.TableRef{p.ref(c.Relation)}
		if len(c.Attlist) > 0 {
			u.Columns = names(c.Attlist)
		}
	}
	if c.Query != nil {
		u.Inner = []sqlplan.Statement{p.statement(c.Query)}
	}
}

// alterTable translates ALTER TABLE.
func (p *translator) alterTable(u *sqlplan.Utility, x *pg.AlterTableStmt) {
	u.Relations = []*sqlplan.TableRef{p.bareRef(x.Relation)}
	for _, n := range x.Cmds {
		c := n.GetAlterTableCmd()
		if c.GetSubtype() == pg.AlterTableType_AT_DropColumn {
			u.Moves = append(u.Moves, c.Name)
		}
		p.attach(u, c)
	}
	p.alteredColumns(u, x)
}

// renamable are the kinds of relations that a protected name may come to mean.
var renamable = map[pg.ObjectType]bool{pg.ObjectType_OBJECT_TABLE: true, pg.ObjectType_OBJECT_VIEW: true, pg.ObjectType_OBJECT_MATVIEW: true, pg.ObjectType_OBJECT_FOREIGN_TABLE: true}

// define translates DDL.
func (p *translator) define(u *sqlplan.Utility, n *pg.Node) {
	u.Kind = sqlplan.UtilityDefine
	u.Columns = []string{}
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateStmt:
		p.createTable(u, x.CreateStmt)
		p.createdColumns(u, x.CreateStmt)
	case *pg.Node_AlterTableStmt:
		p.alterTable(u, x.AlterTableStmt)
	case *pg.Node_RenameStmt:
		if x.RenameStmt.Relation == nil {
			u.Kind = sqlplan.UtilityHarmless
			return
		}
		u.Relations = []*sqlplan.TableRef{p.bareRef(x.RenameStmt.Relation)}
		if x.RenameStmt.RenameType == pg.ObjectType_OBJECT_COLUMN {
			u.Columns = append(u.Columns, x.RenameStmt.Subname, x.RenameStmt.Newname)
			u.Moves = append(u.Moves, x.RenameStmt.Subname)
		} else if renamable[x.RenameStmt.RenameType] {
			named := *u.Relations[0]
			named.Name = x.RenameStmt.Newname
			u.Refuse, u.Relations = sqlplan.RefuseRename, append(u.Relations, &named)
		}
		return
	case *pg.Node_CreateTrigStmt:
		u.Relations = []*sqlplan.TableRef{p.bareRef(x.CreateTrigStmt.Relation)}
	case *pg.Node_IndexStmt:
		u.What = "CREATE INDEX"
		u.Relations = []*sqlplan.TableRef{p.bareRef(x.IndexStmt.Relation)}
		p.createdIndex(u, x.IndexStmt)
	case *pg.Node_CreatePolicyStmt:
		u.Relations = []*sqlplan.TableRef{p.bareRef(x.CreatePolicyStmt.Table)}
	case *pg.Node_AlterPolicyStmt:
		u.Relations = []*sqlplan.TableRef{p.bareRef(x.AlterPolicyStmt.Table)}
	default:
		u.Kind = sqlplan.UtilityUnknown
		return
	}
	u.Exprs = p.childrenOf(n)
	treewalk.Walk(n, func(x any) bool {
		if c, ok := x.(*pg.ColumnDef); ok {
			u.Defines = append(u.Defines, c.Colname)
		}
		return true
	})
}

// createTable translates CREATE TABLE. The tables that it takes its columns from
// are among the relations: a default or a check of it may be for theirs.
func (p *translator) createTable(u *sqlplan.Utility, c *pg.CreateStmt) {
	made := p.bareRef(c.Relation)
	u.Relations = []*sqlplan.TableRef{made}
	u.Temporary = c.Relation.GetRelpersistence() == "t"
	for _, n := range c.InhRelations {
		parent := p.bareRef(n.GetRangeVar())
		u.Attaches = append(u.Attaches, sqlplan.Attachment{Child: made, Parent: parent})
		u.Relations = append(u.Relations, parent)
	}
	for _, n := range c.TableElts {
		if l := n.GetTableLikeClause(); l != nil {
			u.Relations = append(u.Relations, p.bareRef(l.Relation))
		}
	}
	if len(u.Relations) > 1 {
		u.Temporary = false // the other relations are looked at too
	}
}

// attach notes ATTACH PARTITION and INHERIT.
func (p *translator) attach(u *sqlplan.Utility, c *pg.AlterTableCmd) {
	switch c.GetSubtype() {
	case pg.AlterTableType_AT_AttachPartition:
		child := p.bareRef(c.Def.GetPartitionCmd().GetName())
		u.Attaches = append(u.Attaches, sqlplan.Attachment{Child: child, Parent: u.Relations[0]})
	case pg.AlterTableType_AT_AddInherit:
		parent := p.bareRef(c.Def.GetRangeVar())
		u.Attaches = append(u.Attaches, sqlplan.Attachment{Child: u.Relations[0], Parent: parent})
		u.Relations = append(u.Relations, parent)
	}
}

// defaults lists the columns whose definition has a default that is not NULL,
// or that the server computes or compares.
func defaults(definitions []*pg.Node) (out []string) {
	for _, n := range definitions {
		if c := n.GetConstraint(); c != nil { // UNIQUE (a), PRIMARY KEY (a), FOREIGN KEY (a)
			out = append(append(append(out, names(c.Keys)...), names(c.FkAttrs)...), names(c.PkAttrs)...)
		}
		for _, k := range n.GetColumnDef().GetConstraints() {
			switch c := k.GetConstraint(); c.GetContype() {
			case pg.ConstrType_CONSTR_UNIQUE, pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_FOREIGN:
				out = append(out, n.GetColumnDef().Colname)
			case pg.ConstrType_CONSTR_DEFAULT, pg.ConstrType_CONSTR_GENERATED:
				if !c.RawExpr.GetAConst().GetIsnull() {
					out = append(out, n.GetColumnDef().Colname)
				}
			}
		}
	}
	return out
}

// stringsIn collects every string of a tree.
func stringsIn(m protoreflect.Message, out *[]string) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.StringKind && !f.IsList():
			*out = append(*out, v.String())
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				stringsIn(v.List().Get(i).Message(), out)
			}
		default:
			stringsIn(v.Message(), out)
		}
		return true
	})
}
