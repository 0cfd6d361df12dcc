//! Projects: unique within their org, paged, hidden from strangers, read by parts.

use super::*;

fn wanted(org: &str, request_id: &str, slug: &str) -> pb::CreateProjectRequest {
    pb::CreateProjectRequest {
        org_id: org.into(),
        request_id: request_id.into(),
        slug: slug.into(),
        display_name: String::new(),
    }
}

#[tokio::test]
async fn a_slug_is_taken_once_an_org() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let (bob, other) = stage.settle("bob@example.org").await;
    let made = stage.by(&ann).create_project(wanted(&home.org_id, "p", "web")).await.unwrap().into_inner();
    let project = made.project.clone().unwrap();
    assert_eq!((project.display_name.as_str(), project.org_id.as_str()), ("web", home.org_id.as_str()));
    let again = stage.by(&ann).create_project(wanted(&home.org_id, "p", "web")).await.unwrap().into_inner();
    assert_eq!(again, made);
    for slug in ["web", "default"] {
        let taken = stage.by(&ann).create_project(wanted(&home.org_id, "q", slug)).await;
        assert_eq!(reason(taken), "SLUG_TAKEN");
    }
    assert_eq!(
        reason(stage.by(&ann).create_project(wanted(&home.org_id, "p", "wob")).await),
        "REQUEST_ID_REUSED"
    );
    assert!(
        stage.by(&bob).create_project(wanted(&other.org_id, "p", "web")).await.is_ok(),
        "elsewhere it is free"
    );
    let mut bad = wanted(&home.org_id, "r", "Web");
    bad.display_name = "\n\u{1}".into();
    let refused = stage.by(&ann).create_project(bad).await.unwrap_err();
    assert_eq!(refused.message(), "2 fields are wrong");
}

#[tokio::test]
async fn pages_hold_every_project_once_and_tokens_stay_in_their_list() {
    let stage = Stage::with(Config { max_projects_per_org: 6, ..Config::default() }).await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let (bob, other) = stage.settle("bob@example.org").await;
    for place in 0..5 {
        let ask = wanted(&home.org_id, &format!("p-{place}"), &format!("s-{place}"));
        stage.by(&ann).create_project(ask).await.unwrap();
    }
    assert_eq!(
        reason(stage.by(&ann).create_project(wanted(&home.org_id, "p", "more")).await),
        "LIMIT_REACHED"
    );
    let (mut slugs, mut token) = (Vec::new(), String::new());
    loop {
        let ask =
            pb::ListProjectsRequest { org_id: home.org_id.clone(), page_size: 4, page_token: token.clone() };
        let page = stage.by(&ann).list_projects(ask).await.unwrap().into_inner();
        slugs.extend(page.projects.into_iter().map(|project| project.slug));
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    slugs.sort();
    assert_eq!(slugs, ["default", "s-0", "s-1", "s-2", "s-3", "s-4"]);
    let stolen = pb::ListProjectsRequest { org_id: other.org_id, page_size: 4, page_token: token };
    assert_eq!(reason(stage.by(&bob).list_projects(stolen).await), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn strangers_see_nothing_viewers_read_and_parts_look_up() {
    let stage = Stage::set().await;
    let (ann, home) = stage.settle("ann@example.org").await;
    let (bob, _) = stage.settle("bob@example.org").await;
    let ask = pb::GetProjectRequest { project_id: home.project_id.clone() };
    let list = pb::ListProjectsRequest { org_id: home.org_id.clone(), ..Default::default() };
    assert_eq!(reason(stage.by(&bob).get_project(ask.clone()).await), "PROJECT_NOT_FOUND");
    assert_eq!(reason(stage.by(&bob).list_projects(list.clone()).await), "ORG_NOT_FOUND");
    assert_eq!(reason(stage.by(&bob).create_project(wanted(&home.org_id, "p", "x")).await), "ORG_NOT_FOUND");
    let viewer = demoted(&ann, Role::Viewer);
    assert!(stage.by(&viewer).get_project(ask.clone()).await.is_ok());
    assert!(stage.by(&viewer).list_projects(list).await.is_ok());
    assert_eq!(
        reason(stage.by(&viewer).create_project(wanted(&home.org_id, "p", "x")).await),
        "PERMISSION_DENIED"
    );
    let org: OrgId = home.org_id.parse().unwrap();
    for acting in [None, Some(org)] {
        let seen = stage.part(PartName::Commerce, acting).get_project(ask.clone()).await.unwrap();
        assert_eq!(seen.into_inner().project.unwrap().org_id, home.org_id);
    }
    let elsewhere = stage.part(PartName::Commerce, Some(OrgId::from_bits(5))).get_project(ask).await;
    assert_eq!(reason(elsewhere), "PROJECT_NOT_FOUND");
    let (operator, _) = stage.operator().await;
    let nowhere = pb::ListProjectsRequest { org_id: OrgId::from_bits(5).to_string(), ..Default::default() };
    assert_eq!(reason(stage.by(&operator).list_projects(nowhere).await), "ORG_NOT_FOUND");
    assert!(stage.by(&operator).create_project(wanted(&home.org_id, "p", "x")).await.is_ok());
}
